"""Comparing networks, and forms of one network, on the machine at hand: in turns, over many frames."""

"""Telling which game is on a frame of a live stream: data, training, deployment and batch evaluation."""

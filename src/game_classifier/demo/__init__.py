"""The demo's data: real frames of Atari games, plain or as a stream shows them."""

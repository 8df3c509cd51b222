"""Frames: decoding, resizing, caching, batching and augmenting them."""

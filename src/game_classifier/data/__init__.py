"""Frames and their labels: class lists, file lists, decoding, loading, augmentation, splits."""

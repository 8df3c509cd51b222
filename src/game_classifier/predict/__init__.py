"""Batch prediction: lists of frames in, npy files and per-class results out."""

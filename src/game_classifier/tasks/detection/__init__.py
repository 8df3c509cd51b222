"""Detection: the boxes of objects on a frame."""

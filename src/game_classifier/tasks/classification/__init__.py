"""Classification: one class a frame."""

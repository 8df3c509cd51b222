"""Lists of frames and classes, and the data set that they make."""

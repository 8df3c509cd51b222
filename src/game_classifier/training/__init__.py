"""Training a network on a data set."""

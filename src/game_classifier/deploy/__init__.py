"""From a checkpoint to a deployed file, and from either to a classifier that runs."""

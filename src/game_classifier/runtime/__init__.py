"""Loading and running a deployed file or a checkpoint."""

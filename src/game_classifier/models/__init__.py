"""Networks: building them, keeping them in checkpoints, folding them for deployment."""

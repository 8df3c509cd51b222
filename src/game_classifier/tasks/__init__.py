"""Tasks: what a network is asked, and what its answers are worth. Everything else in the house knows no task."""

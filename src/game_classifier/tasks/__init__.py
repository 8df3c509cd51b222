"""Tasks: the kinds of answers of a network, and how they are scored. The rest of the package knows no task."""

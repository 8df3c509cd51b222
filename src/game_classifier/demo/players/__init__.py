"""Programs that play games of one kind; each runs in an environment of its own and imports none of this package."""

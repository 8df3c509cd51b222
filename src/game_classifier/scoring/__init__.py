"""Scores, from counts: of a classifier's answers, and of stored predictions."""

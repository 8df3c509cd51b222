"""Scoring predictions and showing the scores."""

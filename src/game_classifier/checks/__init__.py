"""Checking a data set: unreadable files, copies, leakage."""

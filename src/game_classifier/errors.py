"""Exceptions that end a command early; command.py prints them as one line, without a traceback."""


class InputError(Exception):
    """Wrong input that the user can correct: the message names the file, the line or key, and the remedy."""


class Interrupted(Exception):
    """The user stopped a command, which has saved its work; the message says how to continue."""

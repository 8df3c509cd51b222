"""The one error that bad input raises; command.py shows it as one line and ends with status 2."""


class InputError(Exception):
    """Input that the user can mend: the message names the file, the line or key, and the remedy."""

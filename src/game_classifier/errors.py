"""What ends a command early; command.py shows either as one line, without a traceback."""


class InputError(Exception):
    """Input that the user can mend: the message names the file, the line or key, and the remedy."""


class Interrupted(Exception):
    """Somebody stopped a command, which has kept what it had done; the message says how to go on."""

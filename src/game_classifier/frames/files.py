"""Reading the bytes of an image file."""

import os
import stat
from pathlib import Path

from game_classifier.frames.status import FrameError, FrameStatus

MAX_BYTES = 2**29  # of a file: no image of decode.py's MAX_PIXELS needs more


def read_file(path: str | Path) -> bytes:
    """The bytes of an image file; raises FrameError (missing, unreadable, too large) and nothing else.

    Only regular files are read: a pipe would be waited for, and a device has no end.
    """
    try:
        # Unbuffered, half the time of Path.read_bytes; non-blocking, since opening a pipe waits for its writer.
        with os.fdopen(os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0)), "rb", buffering=0) as file:
            state = os.fstat(file.fileno())
            if not stat.S_ISREG(state.st_mode):
                raise FrameError(FrameStatus.UNREADABLE)
            if state.st_size > MAX_BYTES:
                raise FrameError(FrameStatus.TOO_LARGE)
            return file.read()
    except FileNotFoundError:
        raise FrameError(FrameStatus.MISSING) from None
    except (OSError, ValueError):  # ValueError: a NUL byte in the name
        raise FrameError(FrameStatus.UNREADABLE) from None

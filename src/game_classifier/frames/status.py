"""What came of reading a frame."""

from enum import IntEnum


class FrameStatus(IntEnum):
    """The result of reading a frame; stored as u1 in the results, so a value never changes its meaning."""

    OK = 0
    MISSING = 1  # no such file
    UNREADABLE = 2  # permissions, a folder, an I/O error
    EMPTY = 3  # no bytes
    NOT_AN_IMAGE = 4  # no known format
    TRUNCATED = 5  # the data ends early
    CORRUPT = 6  # the data contradicts its format
    TOO_LARGE = 7  # more than MAX_PIXELS
    UNSUPPORTED = 8  # pixels without a defined 8-bit range, such as 32-bit floats


class FrameError(Exception):
    """A frame that cannot be read; `status` says why."""

    def __init__(self, status: FrameStatus) -> None:
        super().__init__(status.name.lower())
        self.status = status

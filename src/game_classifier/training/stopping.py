"""Ctrl-C and SIGTERM as a wish to stop after the step at hand, when the state is whole."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType


@dataclass
class StopRequest:
    """Whether somebody asked this process to stop."""

    made: bool = False


@contextmanager
def stop_request(patient: bool) -> Iterator[StopRequest]:
    """Yield a StopRequest that the first SIGINT or SIGTERM makes; a second one ends the process as usual.

    Not so when `patient`: torchrun passes on a Ctrl-C that the terminal has given to its processes already.
    """
    request = StopRequest()
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def ask(number: int, _: FrameType | None) -> None:
        request.made = True
        if not patient:
            signal.signal(number, before[number])

    try:
        for number in before:
            signal.signal(number, ask)
        yield request
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)

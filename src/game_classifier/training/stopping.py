"""Turning Ctrl-C and SIGTERM into a request to stop after the current step, when the state is complete."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType


@dataclass
class StopRequest:
    """Whether this process was asked to stop."""

    made: bool = False


@contextmanager
def stop_request(patient: bool) -> Iterator[StopRequest]:
    """Yield a StopRequest that the first SIGINT or SIGTERM sets; a second one ends the process as usual.

    With `patient`, a second one does not: torchrun repeats a Ctrl-C that the terminal already sent to its processes.
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

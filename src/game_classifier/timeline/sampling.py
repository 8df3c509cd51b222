"""Which moments of a video are looked at: one for each interval, at a key frame where that is cheaper."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

FRAMES = ("auto", "key", "exact")
REORDERING = 0.5  # seconds of frames that a decoder may hold back to bring them into order
ROUNDING = 0.001  # seconds; a frame that starts so little after a moment is the one that is shown then
LONGEST_WAIT = 10.0  # seconds that a multiple waits for a key frame, so that few packets wait with it
Then = Literal["more frames", "a key frame", "nothing"]


@dataclass(frozen=True)
class Moment:
    """A moment to look at, in seconds from the first frame."""

    time: float
    key: bool  # the key frame that starts at this very time; otherwise the frame that is shown at `time`


class Sampler(Protocol):
    """Chooses moments while a video is read once, in order."""

    only_key_frames: bool

    def at_key_frame(self, time: float) -> list[Moment]:
        """The moments at the key frame that starts at `time`."""
        ...

    def until(self, end: float, then: Then) -> list[Moment]:
        """The moments before `end` that need not wait for what comes `then`; one at `end` is for what starts there."""
        ...

    def skip_to(self, time: float) -> None:
        """Leave out what has not been looked at before `time`."""
        ...


class GridSampler:
    """One moment for each multiple of `interval` seconds.

    exact: the frame that is shown at each multiple. A decoder must then decode all frames before it.
    key: only key frames, the first one that is nearer to a multiple than to any other; other moments are left out.
    auto: such a key frame where there is one, otherwise the frame that is shown at the multiple. With a key frame for
    each interval, as streams have, this costs as little as key; without, as much as exact.
    """

    def __init__(self, interval: float, frames: str) -> None:
        self.interval = interval
        self.only_key_frames = frames == "key"
        self.exact = frames == "exact"
        self.next = 0  # the first multiple that has no moment yet

    def at_key_frame(self, time: float) -> list[Moment]:
        """A moment at the key frame if it serves a multiple that has none yet."""
        if self.exact:
            self.skip_to(time)
            return []
        nearest = math.ceil(time / self.interval - 0.5)
        if nearest < self.next:
            return []
        self.next = nearest + 1
        return [Moment(time, key=True)]

    def until(self, end: float, then: Then) -> list[Moment]:
        """The multiples before `end`; those that the next key frame may serve are left to it."""
        if self.only_key_frames:
            return []
        wait = 0.0 if then == "nothing" or self.exact else min(self.interval / 2, LONGEST_WAIT)
        end -= max(wait, REORDERING if then == "more frames" else ROUNDING)
        after = max(self.next, math.ceil(end / self.interval))
        moments = [Moment(number * self.interval, key=False) for number in range(self.next, after)]
        self.next = after
        return moments

    def skip_to(self, time: float) -> None:
        """Leave out the multiples before `time`."""
        self.next = max(self.next, math.ceil((time - ROUNDING) / self.interval))


class ListSampler:
    """The moments that a caller names."""

    only_key_frames = False

    def __init__(self, times: Sequence[float]) -> None:
        self.times = sorted(times)
        self.next = 0

    def at_key_frame(self, time: float) -> list[Moment]:
        """None: moments lie where the caller wants them."""
        return []

    def until(self, end: float, then: Then) -> list[Moment]:
        """The named times before `end`."""
        first = self.next
        end -= REORDERING if then == "more frames" else ROUNDING
        while self.next < len(self.times) and self.times[self.next] < end:
            self.next += 1
        return [Moment(time, key=False) for time in self.times[first : self.next]]

    def skip_to(self, time: float) -> None:
        """Leave out the named times before `time`."""
        while self.next < len(self.times) and self.times[self.next] < time - ROUNDING:
            self.next += 1

"""One clock for a video, whatever its timestamps do: they may start late, jump back, or be missing."""

from dataclasses import dataclass

import av

STILL = 10.0  # seconds that a frame may be shown without a new one before it counts as a gap
JUMP_BACK = 1.0  # seconds; less is the disorder of packets
JUMP_AHEAD = 600.0  # seconds; more is another clock, not a pause


@dataclass(frozen=True)
class Gap:
    """A part of a video without readable frames, in seconds from the first frame."""

    start: float
    end: float
    reason: str  # "no frames", "damaged" or "connection lost"


class Clock:
    """Seconds from the first frame on. A jump of the timestamps goes on from where the video was."""

    def __init__(self, rate: float) -> None:
        self.frame = 1 / rate  # seconds, where packets do not tell how long they last
        self.offset: float | None = None  # added to a packet's own time
        self.last = 0.0  # when the last packet was decoded
        self.reach = 0.0  # when the next one is expected
        self.end = 0.0  # of the last frame

    def place(self, packet: av.Packet) -> tuple[float, float, Gap | None]:
        """(time at which it is shown, when it is decoded, the gap before it) of the next packet, in seconds.

        Writes the time into the packet, so that its frame has it too.
        """
        tick = float(packet.time_base)
        decoded = packet.dts if packet.dts is not None else packet.pts
        shown = packet.pts if packet.pts is not None else decoded
        lasts = (packet.duration or 0) * tick or self.frame
        if decoded is None:
            decoded = shown = round((self.reach - (self.offset or 0.0)) / tick)
        if self.offset is None:
            self.offset = self.end - shown * tick
            self.last = self.reach = decoded * tick + self.offset
        at = decoded * tick + self.offset
        if not self.last - JUMP_BACK <= at <= self.reach + JUMP_AHEAD:
            self.offset += self.reach - at
            at = self.reach
        time = shown * tick + self.offset
        gap = Gap(self.end, time, "no frames") if at > self.reach + STILL and time > self.end else None
        self.last, self.reach, self.end = at, at + lasts, max(self.end, time + lasts)
        packet.pts, packet.dts = round(time / tick), round(at / tick)
        return time, at, gap

    def restart(self, pause: float) -> Gap:
        """Go on with the timestamps of a new connection, after a pause of so many seconds."""
        gap = Gap(self.end, self.end + pause, "connection lost")
        self.end, self.offset = gap.end, None
        return gap

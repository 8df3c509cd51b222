"""Reading a video from its first frame to its last: samples in order, gaps, and its length."""

from collections.abc import Callable, Container, Iterator
from dataclasses import dataclass, field
from typing import Any

import av

from game_classifier.console import progress
from game_classifier.frames.decode import Preprocessing
from game_classifier.timeline.answers import Networks, Sample, answer_pieces
from game_classifier.timeline.clock import STILL, Clock, Gap
from game_classifier.timeline.identity import describe, frame_rate
from game_classifier.timeline.packets import Piece, read_pieces
from game_classifier.timeline.sampling import Sampler
from game_classifier.timeline.source import Source, video_streams

LONGEST_PIECE = 5.0  # seconds
INDEXED = ("mov", "matroska")  # containers whose length is what was recorded, not an estimate


@dataclass
class Reading:
    """What was seen of a video, besides the samples."""

    gaps: list[Gap] = field(default_factory=list)
    end: float = 0.0  # of the last frame, in seconds from the first one
    video: dict[str, Any] = field(default_factory=dict)  # identity.describe


def read_video(
    source: Source,
    sampler: Sampler,
    workers: list[Networks],
    preprocessing: Preprocessing,
    take: Callable[[Sample], None],
    pictures: Container[float] = (),
    until: float = float("inf"),
) -> Reading:
    """Read a video that has an end. `take` gets its samples in order, and nothing keeps them.

    `pictures` as in answer_pieces; nothing after `until` is read.
    A connection that breaks, or a file that is cut short, ends in a gap up to the length that its header names.
    """
    reading = Reading()

    def pieces() -> Iterator[Piece | Gap]:
        with source.open() as container:
            stream = video_streams(container)[0]
            reading.video = describe(container, stream)
            clock = Clock(frame_rate(stream))
            length = (container.duration or 0) / av.time_base
            reason = ""
            with progress(total=round(length), unit="s", desc=source.short_name, leave=False) as bar:
                try:
                    for piece in read_pieces(container, stream, clock, sampler, LONGEST_PIECE):
                        yield piece
                        bar.update(min(round(clock.end), bar.total or 0) - bar.n)
                        if clock.end > until:
                            break
                    else:
                        if container.format.name.startswith(INDEXED) and length > clock.end + STILL:
                            reason = "no frames"  # cut short: the index names more than there is
                except av.FFmpegError:
                    reason = "connection lost" if source.is_url else "damaged"
            reading.end = max(clock.end, length) if reason else clock.end
            if reading.end > clock.end:
                yield Gap(clock.end, reading.end, reason)

    for each in answer_pieces(pieces(), workers, preprocessing, pictures):
        (reading.gaps.append if isinstance(each, Gap) else take)(each)
    return reading

"""From the state of each sample to segments from boundary to boundary, with the gaps between them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from game_classifier.frames.decode import FrameStatus
from game_classifier.timeline.clock import Gap


@dataclass(frozen=True)
class Segment:
    """A part of a video in one state, in seconds from the first frame."""

    start: float
    end: float
    state: int  # index of the class; the number of classes means "unknown"
    confidence: float  # mean probability of the state over the samples in the segment, given the whole video
    samples: range  # of the samples that were read


def find_gaps(times: np.ndarray, status: np.ndarray, reported: Sequence[Gap], end: float) -> list[Gap]:
    """The reported gaps and the damaged parts, by time; a damaged part reaches half-way to the readable samples."""
    gaps = list(reported)
    for first, last in _runs(np.flatnonzero(status != FrameStatus.OK).tolist()):
        start = float(times[first - 1] + times[first]) / 2 if first else 0.0
        stop = float(times[last] + times[last + 1]) / 2 if last + 1 < len(times) else end
        gaps.append(Gap(start, stop, "damaged"))
    return sorted(gaps, key=lambda gap: gap.start)


def _runs(rows: Sequence[int]) -> list[tuple[int, int]]:
    """(first, last) of each run of neighbours."""
    firsts = [row for position, row in enumerate(rows) if not position or rows[position - 1] != row - 1]
    lasts = [row for position, row in enumerate(rows) if position + 1 == len(rows) or rows[position + 1] != row + 1]
    return list(zip(firsts, lasts, strict=True))


def gaps_within(gaps: Sequence[Gap], low: float, high: float) -> list[Gap]:
    """The gaps between two neighbouring samples."""
    return [gap for gap in gaps if low <= (gap.start + gap.end) / 2 <= high]


def find_changes(times: np.ndarray, states: np.ndarray, gaps: Sequence[Gap]) -> list[int]:
    """The rows whose next sample has another state, without a gap between the two."""
    rows = np.flatnonzero(states[1:] != states[:-1]).tolist()
    return [row for row in rows if not gaps_within(gaps, times[row], times[row + 1])]


def make_segments(
    times: np.ndarray,
    states: np.ndarray,
    confidences: np.ndarray,
    gaps: Sequence[Gap],
    boundaries: dict[int, float],
    end: float,
) -> list[Segment]:
    """Segments that fill 0 to `end` but for the gaps.

    `times`, `states`, `confidences`: of the samples that were read, float [T], int [T] and float [T].
    `boundaries`: the time of the change after some rows of `find_changes`; the others lie half-way.
    """
    segments: list[Segment] = []
    first, leading = 0, gaps_within(gaps, 0, times[0]) if len(times) else []
    start = leading[-1].end if leading else 0.0
    for row in range(len(times)):
        following = times[row + 1] if row + 1 < len(times) else np.inf
        between = gaps_within(gaps, times[row], following)
        if np.isfinite(following) and states[row] == states[row + 1] and not between:
            continue
        change = boundaries.get(row, float(times[row] + following) / 2) if np.isfinite(following) else end
        stop = between[0].start if between else change
        samples = range(first, row + 1)
        confidence = float(confidences[first : row + 1].mean())
        segments.append(Segment(start, stop, int(states[row]), confidence, samples))
        first, start = row + 1, between[-1].end if between else change
    return segments

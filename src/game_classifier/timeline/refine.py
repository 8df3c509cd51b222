"""Boundaries to a fraction of a second: more frames around a change, and the split that explains them best."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from game_classifier.frames.decode import FrameStatus
from game_classifier.timeline.answers import Sample

SPACING = 0.25  # seconds between the frames around a change, so that a boundary is within half of it


@dataclass(frozen=True)
class Change:
    """A change of state between two samples, and the moments to look at around it."""

    row: int  # of the sample before it
    before: int  # states
    after: int
    times: np.ndarray  # float64, SPACING apart


def plan_changes(times: np.ndarray, states: np.ndarray, rows: Sequence[int]) -> list[Change]:
    """The changes after `rows`. One sample further on each side is searched too, if it has the same state."""
    changes = []
    for row in rows:
        low = row - 1 if row > 0 and states[row - 1] == states[row] else row
        high = row + 2 if row + 2 < len(times) and states[row + 2] == states[row + 1] else row + 1
        count = int((times[high] - times[low]) / SPACING)
        looked = np.round(times[low] + SPACING * np.arange(1, count + 1), 3)
        changes.append(Change(row, int(states[row]), int(states[row + 1]), looked))
    return changes


class Looked:
    """Finds the boundaries from frames around the changes, which come in order; keeps no more than they tell of each.

    A boundary splits the frames best into those before and those after it: the split has the largest likelihood
    (Hinkley, "Inference about the change-point", Biometrika 57, 1970).
    """

    def __init__(self, changes: Sequence[Change], emissions: Callable[[Sample], np.ndarray]) -> None:
        self.changes = changes
        self.emissions = emissions
        self.moments: dict[float, list[int]] = {}  # time -> the changes that it is near
        for number, change in enumerate(changes):
            for time in change.times.tolist():
                self.moments.setdefault(time, []).append(number)
        self.gains: list[list[tuple[float, float]]] = [[] for _ in changes]  # time, how much it speaks for `before`
        self.pictures: dict[float, bytes] = {}

    def add(self, sample: Sample) -> None:
        """Take a frame, one of the moments or another."""
        if sample.picture:
            self.pictures[sample.time] = sample.picture
        if sample.status != FrameStatus.OK or sample.time not in self.moments:
            return
        emissions = self.emissions(sample)
        for number in self.moments[sample.time]:
            change = self.changes[number]
            self.gains[number].append((sample.time, float(emissions[change.before] - emissions[change.after])))

    def boundaries(self) -> dict[int, float]:
        """Row -> time of the change after it, in rising order; without those whose surroundings could not be read."""
        found: dict[int, float] = {}
        earliest = 0.0
        for change, gains in zip(self.changes, self.gains, strict=True):
            if gains:
                found[change.row] = earliest = max(_best_split(*zip(*gains, strict=True)), earliest)
        return found


def _best_split(times: Sequence[float], gains: Sequence[float]) -> float:
    split = int(np.argmax(np.concatenate([[0.0], np.cumsum(gains)])))  # frames that belong to `before`
    if split == 0:
        return times[0] - SPACING / 2
    if split == len(times):
        return times[-1] + SPACING / 2
    return (times[split - 1] + times[split]) / 2

"""Boundaries to a fraction of a second: more frames around a change, and the split that explains them best."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

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


def find_boundary(change: Change, times: np.ndarray, emissions: np.ndarray) -> float:
    """The time that splits the looked-at frames best into `before` and `after`.

    `times`: those of `change` that were read, float [N], N > 0; `emissions`: their log-emissions, float [N, S]. The
    split has the largest likelihood (Hinkley, "Inference about the change-point", Biometrika 57, 1970).
    """
    gain = emissions[:, change.before] - emissions[:, change.after]
    split = int(np.argmax(np.concatenate([[0.0], np.cumsum(gain)])))  # frames that belong to `before`
    if split == 0:
        return float(times[0]) - SPACING / 2
    if split == len(times):
        return float(times[-1]) + SPACING / 2
    return float(times[split - 1] + times[split]) / 2

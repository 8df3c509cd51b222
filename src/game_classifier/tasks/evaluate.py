"""Scoring a network on a list: validation in training and `main_predict.py` both run this."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from game_classifier.console import progress
from game_classifier.frames.decode import FrameStatus, Preprocessing
from game_classifier.frames.loader import FrameReader, load_batches
from game_classifier.lists.filelist import FileList
from game_classifier.tasks.task import Scores, Task


@dataclass
class Evaluation:
    """Scores over the frames that were read and have a target, and the rows that could not be read."""

    scores: Scores
    unread: dict[int, FrameStatus] = field(default_factory=dict)  # row -> reason

    def merge(self, other: "Evaluation") -> None:
        """Add the results of other rows of the same list."""
        self.scores.merge(other.scores)
        self.unread |= other.unread


def evaluate(
    infer: Callable[[np.ndarray], Any],
    task: Task,
    class_names: Sequence[str],
    frames: FileList,
    preprocessing: Preprocessing,
    batch_size: int,
    threads: int,
    *,
    rows: np.ndarray | None = None,
    cache: FrameReader | None = None,
) -> Evaluation:
    """Run `infer` (uint8 [N, H, W, 3] -> answers) over a list and score its answers.

    `rows` are the rows to score, by default all; rows that `cache` holds are taken from there.
    """
    result = Evaluation(task.scores(class_names, frames, preprocessing))
    targets = task.targets(frames)
    rows = np.arange(len(frames)) if rows is None else rows
    with progress(total=len(rows), unit="frame", desc="evaluate", leave=False) as bar:
        for batch in load_batches(frames.paths, rows, preprocessing, batch_size, threads, cache):
            bar.update(len(batch.rows))
            for position in np.flatnonzero(batch.status):
                result.unread[int(batch.rows[position])] = FrameStatus(batch.status[position])
            good = batch.readable()
            if len(good.rows):
                result.scores.add(infer(good.frames), targets[good.rows])
    return result


def unread_lines(frames: FileList, unread: dict[int, FrameStatus], shown: int = 10) -> list[str]:
    """Lines that name how many files of a list could not be read, and the first of them with line and reason."""
    if not unread:
        return []
    lines = [f"{len(unread)} of {len(frames)} files of {frames.source} could not be read and were left out:"]
    for row, status in sorted(unread.items())[:shown]:
        lines.append(f"  line {row + 1}: {frames.paths[row]}: {status.name.lower()}")
    if len(unread) > shown:
        lines.append(f"  and {len(unread) - shown} more")
    return lines

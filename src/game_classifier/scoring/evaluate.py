"""Scoring a classifier on a list: validation in training and `main_predict.py` both run this."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from game_classifier.console import progress
from game_classifier.frames.decode import FrameStatus, Preprocessing
from game_classifier.frames.loader import FrameReader, load_batches
from game_classifier.lists.filelist import UNLABELLED, FileList
from game_classifier.scoring.metrics import Scores


@dataclass
class Evaluation:
    """Scores over the frames that were read and labelled, and the rows that could not be read."""

    scores: Scores
    unread: dict[int, FrameStatus] = field(default_factory=dict)  # row -> reason

    def merge(self, other: "Evaluation") -> None:
        """Add what was found on other rows of the same list."""
        self.scores.merge(other.scores)
        self.unread |= other.unread


def evaluate(
    infer: Callable[[np.ndarray], np.ndarray],
    frames: FileList,
    preprocessing: Preprocessing,
    num_classes: int,
    batch_size: int,
    threads: int,
    *,
    rows: np.ndarray | None = None,
    cache: FrameReader | None = None,
) -> Evaluation:
    """Run `classify` (uint8 [N, H, W, 3] -> probabilities [N, C]) over a list and count its hits.

    `rows` names those to score where it is not all of them; rows that `cache` holds are taken from there.
    """
    result = Evaluation(Scores(num_classes))
    rows = np.arange(len(frames)) if rows is None else rows
    with progress(total=len(rows), unit="frame", desc="evaluate", leave=False) as bar:
        for batch in load_batches(frames.paths, rows, preprocessing, batch_size, threads, cache):
            bar.update(len(batch.rows))
            for position in np.flatnonzero(batch.status):
                result.unread[int(batch.rows[position])] = FrameStatus(batch.status[position])
            good = batch.readable()
            if not len(good.rows):
                continue
            labels = frames.labels[good.rows]
            labelled = labels != UNLABELLED
            result.scores.add(infer(good.frames)[labelled], labels[labelled])
    return result


def unread_lines(frames: FileList, unread: dict[int, FrameStatus], shown: int = 10) -> list[str]:
    """Sentences that say how many files of a list could not be read, and which, with line and reason."""
    if not unread:
        return []
    lines = [f"{len(unread)} of {len(frames)} files of {frames.source} could not be read, and were left out:"]
    for row, status in sorted(unread.items())[:shown]:
        lines.append(f"  line {row + 1}: {frames.paths[row]}: {status.name.lower()}")
    if len(unread) > shown:
        lines.append(f"  and {len(unread) - shown} more")
    return lines

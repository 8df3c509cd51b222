"""The rows that batch prediction writes for a classifier; docs/formats.md defines their format."""

from collections.abc import Sequence
from typing import Any, Self

import numpy as np

from game_classifier.console import percent
from game_classifier.errors import InputError
from game_classifier.lists.filelist import FileList
from game_classifier.pages.tables import top_classes_table
from game_classifier.tasks.classification.results import ClassResults
from game_classifier.tasks.task import Answered

NO_PREDICTION = -1
CLASSES_SHOWN = 5


class ClassRows:
    """See tasks/task.py, `Rows`."""

    boxes = None

    def settings(self) -> dict[str, Any]:
        """None."""
        return {}

    def with_least_score(self, least_score: float) -> Self:
        """An error."""
        raise InputError(
            f"least score {least_score:g}: the network is a classifier, which finds no boxes; leave it out"
        )

    def dtype(self, num_classes: int, with_known: bool = False) -> np.dtype:
        """A row of LIST.npy, without `known` if the network does not give it, as before there was the score."""
        known = [("known", "<f4")]  # NaN where the frame was not read
        return np.dtype(
            [
                ("label", "<i4"),  # -1: the line has none
                ("pred", "<i4"),  # -1: the frame was not read
                ("score", "<f4"),  # probability of pred
                ("status", "u1"),  # FrameStatus; 0 is read
                ("probs", "<f4", (num_classes,)),  # zeros where the frame was not read
                *(known if with_known else ()),
            ]
        )

    def begin(self, table: np.ndarray, frames: FileList) -> None:
        """Every row has its label, and no prediction yet."""
        table["label"] = frames.labels
        table["pred"] = NO_PREDICTION
        if "known" in table.dtype.names:
            table["known"] = np.nan

    def fill(self, rows: np.ndarray, answered: Answered) -> None:
        """Probabilities, the likeliest class and its probability, and `known` if the answers have it behind them."""
        answers = answered.answers
        classes = rows["probs"].shape[1]
        probabilities = answers[:, :classes]
        rows["pred"] = probabilities.argmax(axis=1)
        rows["score"] = probabilities[np.arange(len(rows)), rows["pred"]]
        rows["probs"] = probabilities
        if "known" in rows.dtype.names:
            rows["known"] = answers[:, classes]

    def results(self, class_names: tuple[str, ...], refuse: float | None) -> ClassResults:
        """Per-class results."""
        return ClassResults(class_names, refuse)

    def describe_row(
        self, row: np.void, boxes: np.ndarray | None, class_names: Sequence[str], refuse_below: float | None
    ) -> str:
        """The likeliest classes, and whether the frame is refused."""
        probabilities = row["probs"]
        order = np.argsort(-probabilities, kind="stable")[:CLASSES_SHOWN]
        likeliest = top_classes_table([class_names[index] for index in order], probabilities[order])
        if refuse_below is None:
            return likeliest
        known = float(row["known"])
        verdict = "refused: it shows none of the classes" if known < refuse_below else "not refused"
        return f"{likeliest}\nknown {percent(known)}% (threshold {percent(refuse_below)}%): {verdict}"

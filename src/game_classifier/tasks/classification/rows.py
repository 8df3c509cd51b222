"""The rows that batch prediction writes for a classifier; docs/formats.md defines their format."""

from collections.abc import Sequence

import numpy as np

from game_classifier.lists.filelist import FileList
from game_classifier.pages.tables import top_classes_table
from game_classifier.tasks.classification.results import ClassResults

NO_PREDICTION = -1
CLASSES_SHOWN = 5


class ClassRows:
    """See tasks/task.py, `Rows`."""

    def dtype(self, num_classes: int) -> np.dtype:
        """A row of LIST.npy."""
        return np.dtype(
            [
                ("label", "<i4"),  # -1: the line has none
                ("pred", "<i4"),  # -1: the frame was not read
                ("score", "<f4"),  # probability of pred
                ("status", "u1"),  # FrameStatus; 0 is read
                ("probs", "<f4", (num_classes,)),  # zeros where the frame was not read
            ]
        )

    def begin(self, table: np.ndarray, frames: FileList) -> None:
        """Every row has its label, and no prediction yet."""
        table["label"] = frames.labels
        table["pred"] = NO_PREDICTION

    def fill(self, rows: np.ndarray, answers: np.ndarray) -> np.ndarray:
        """Probabilities, the likeliest class and its probability."""
        rows["pred"] = answers.argmax(axis=1)
        rows["score"] = answers[np.arange(len(rows)), rows["pred"]]
        rows["probs"] = answers
        return rows

    def results(self, class_names: tuple[str, ...]) -> ClassResults:
        """Per-class results."""
        return ClassResults(class_names)

    def describe_answer(self, answer: np.ndarray, class_names: Sequence[str]) -> str:
        """The likeliest classes."""
        order = np.argsort(-answer, kind="stable")[:CLASSES_SHOWN]
        return top_classes_table([class_names[index] for index in order], answer[order])

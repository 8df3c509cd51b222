"""A classifier's scores: the counts of scoring/metrics.py with their tables and their picture."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

import torch

from game_classifier.pages.plots import plot_confusion
from game_classifier.pages.tables import worst_classes_table
from game_classifier.scoring.metrics import Scores

COLUMNS = {
    "top1": "Top-1 Acc",
    "top5": "Top-5 Acc",
    "mean_precision": "Mean Precision",
    "mean_recall": "Mean Recall",
    "mean_f1": "Mean F1 Score",
}
CURVES = {"top1": "top-1", "top5": "top-5", "mean_f1": "mean F1"}


class ClassScores(Scores):
    """See tasks/task.py, `Scores`."""

    def __init__(self, class_names: Sequence[str]) -> None:
        super().__init__(len(class_names))
        self.class_names = tuple(class_names)

    def figures(self) -> dict[str, float]:
        """The five scores of `summary`."""
        return asdict(self.summary())

    def state_dict(self) -> dict[str, torch.Tensor]:
        """The confusion matrix, int64 [C, C]."""
        return {"confusion": torch.from_numpy(self.confusion)}

    def load_state_dict(self, state: Mapping[str, torch.Tensor]) -> None:
        """Set the confusion matrix."""
        self.confusion = state["confusion"].numpy()

    def describe(self) -> str:
        """The classes with the lowest F1 first."""
        return worst_classes_table(self.per_class(self.class_names), self.confusion)

    def draw(self, folder: Path) -> None:
        """Write `folder/confusion.png`."""
        plot_confusion(folder / "confusion.png", self.confusion, self.class_names)

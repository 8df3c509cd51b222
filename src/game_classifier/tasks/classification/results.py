"""Per-class results of predictions, as files and as tables for the terminal."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib.recfunctions import append_fields

from game_classifier.models.refusals import Refusals
from game_classifier.pages.plots import plot_confusion
from game_classifier.pages.refusal_tables import refusal_table
from game_classifier.pages.results_page import render_page
from game_classifier.pages.results_tables import calibration_line, confused_pairs_table
from game_classifier.pages.tables import predicted_counts_table, summary_table, worst_classes_table
from game_classifier.scoring.metrics import confused_pairs
from game_classifier.scoring.results import Results
from game_classifier.storage import make_folder, replacing, write_csv, write_text
from game_classifier.tasks.classification.scores import COLUMNS

UNKNOWN_NAME = "unknown"  # of the last row and column of the confusion matrix
FILES = "per_class.npy and .csv, confusion.npy and .png, confused_pairs.csv, calibration.npy, report.html"


class ClassResults(Results):
    """See tasks/task.py, `Results`; scoring/results.py counts."""

    def __init__(self, class_names: tuple[str, ...], refuse: float | None = None) -> None:
        """`refuse` is the share of known frames to refuse; None: the share that each network was trained with."""
        super().__init__(class_names)
        self.refuse = refuse
        self.rates: set[float] = set()  # that the lists were refused at
        self.lists_without_score = 0

    def add_list(self, manifest: dict[str, Any]) -> None:
        """Begin the next list; its network's threshold holds for its rows."""
        super().add_list(manifest)
        refusals = Refusals.from_dict(manifest["refusals"]) if manifest.get("refusals") else None
        self.threshold = refusals.threshold(self.refuse) if refusals else 0.0
        if refusals:
            self.rates.add(refusals.default if self.refuse is None else self.refuse)
        else:
            self.lists_without_score += 1

    def per_class(self) -> np.ndarray:
        """The scores of each class; with the `known` score, also how its frames were refused and otherwise wrong."""
        table = self.scores.per_class(self.class_names)
        if not self.refusing.rows:
            return table
        counts = {"wrong": self.refusing.wrong_of_classes(), "refused": self.refusing.refused_of_classes()}
        return append_fields(table, list(counts), list(counts.values()), "i8", usemask=False)

    def write(self, folder: Path) -> str:
        """Write FILES into `folder`.

        Without a labelled frame there is nothing to draw, and a confusion.png of earlier results is removed.
        """
        make_folder(folder)
        names, confusion = self.class_names, self.scores.confusion
        per_class = self.per_class()
        pairs = confused_pairs(confusion)
        named_pairs = [(names[true], names[predicted], *rest) for true, predicted, *rest in pairs.tolist()]
        if self.refusing.rows:
            names, confusion = (*names, UNKNOWN_NAME), self.refusing.confusion
        arrays = {"per_class": per_class, "confusion": confusion, "calibration": self.calibration.table()}
        for name, array in arrays.items():
            with replacing(folder / f"{name}.npy") as temporary, temporary.open("wb") as file:
                np.save(file, array, allow_pickle=False)
        write_csv(folder / "per_class.csv", per_class.dtype.names, per_class.tolist())
        write_csv(folder / "confused_pairs.csv", pairs.dtype.names, named_pairs)
        if confusion.any():
            plot_confusion(folder / "confusion.png", confusion, names)
        else:
            (folder / "confusion.png").unlink(missing_ok=True)
        write_text(folder / "report.html", render_page(self))
        return FILES

    def describe(self) -> str:
        """The scores, the worst classes and the confused pairs; without labels, how often each class was predicted."""
        parts = []
        if self.unlabelled:
            parts.append(predicted_counts_table(self.class_names, self.predicted))
        if self.scored:
            parts.append(worst_classes_table(self.per_class(), self.scores.confusion))
            summary = self.scores.summary()
            parts.append(summary_table(f"{self.scored} frames", asdict(summary), COLUMNS))
            parts.append(confused_pairs_table(self))
            parts.append(calibration_line(self.calibration, summary.top1))
        if self.refusing.rows:
            rates = " and ".join(f"{rate:g}" for rate in sorted(self.rates))
            parts.append(refusal_table(self.refusing, rates))
        if self.lists_without_score and (self.refuse is not None or self.unknown or self.refusing.rows):
            parts.append(
                f"{self.lists_without_score} list(s) have no `known` score, because their network gives none; none of"
                " their frames is refused; tool/fit_known.py adds the score to a network"
            )
        return "\n".join(part for part in parts if part)

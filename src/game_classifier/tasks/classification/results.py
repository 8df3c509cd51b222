"""Per-class results of predictions, as files and as tables for the terminal."""

from dataclasses import asdict
from pathlib import Path

import numpy as np

from game_classifier.pages.plots import plot_confusion
from game_classifier.pages.results_page import render_page
from game_classifier.pages.results_tables import calibration_line, confused_pairs_table
from game_classifier.pages.tables import predicted_counts_table, summary_table, worst_classes_table
from game_classifier.scoring.metrics import confused_pairs
from game_classifier.scoring.results import Results
from game_classifier.storage import make_folder, replacing, write_csv, write_text
from game_classifier.tasks.classification.scores import COLUMNS

FILES = "per_class.npy and .csv, confusion.npy and .png, confused_pairs.csv, calibration.npy, report.html"


class ClassResults(Results):
    """See tasks/task.py, `Results`; scoring/results.py counts."""

    def write(self, folder: Path) -> str:
        """Write FILES into `folder`.

        Without a labelled frame there is nothing to draw, and a confusion.png of earlier results is removed.
        """
        make_folder(folder)
        names, confusion = self.class_names, self.scores.confusion
        per_class = self.scores.per_class(names)
        arrays = {"per_class": per_class, "confusion": confusion, "calibration": self.calibration.table()}
        for name, array in arrays.items():
            with replacing(folder / f"{name}.npy") as temporary, temporary.open("wb") as file:
                np.save(file, array, allow_pickle=False)
        pairs = confused_pairs(confusion)
        named_pairs = ((names[true], names[predicted], *rest) for true, predicted, *rest in pairs.tolist())
        write_csv(folder / "per_class.csv", per_class.dtype.names, per_class.tolist())
        write_csv(folder / "confused_pairs.csv", pairs.dtype.names, named_pairs)
        if self.scored:
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
            parts.append(worst_classes_table(self.scores.per_class(self.class_names), self.scores.confusion))
            summary = self.scores.summary()
            parts.append(summary_table(f"{self.scored} frames", asdict(summary), COLUMNS))
            parts.append(confused_pairs_table(self))
            parts.append(calibration_line(self.calibration, summary.top1))
        return "\n".join(part for part in parts if part)

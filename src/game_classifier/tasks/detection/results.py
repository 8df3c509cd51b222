"""The results of a detector's predictions, as files, tables and a page."""

from pathlib import Path

import numpy as np

from game_classifier.console import percent, table
from game_classifier.pages.box_results_page import render_box_page
from game_classifier.pages.tables import summary_table
from game_classifier.storage import make_folder, replacing, write_csv, write_text
from game_classifier.tasks.detection.confusion import SHOWN
from game_classifier.tasks.detection.gallery import gallery
from game_classifier.tasks.detection.predicted import PredictedBoxes
from game_classifier.tasks.detection.scores import CLASSES_SHOWN, COLUMNS

FIELDS = {"found": "Found", "frames": "Frames"}
SCORED_FIELDS = {"boxes": "Boxes", "missed": "Missed", "confused": "Confused", "false": "False"}
AP_FIELDS = {"ap": "AP", "ap50": "AP50"}
PICTURES = ("precision_recall.png", "confusion.png", "worst_frames.png")
NOTHING = "–"  # the AP of a class without true boxes


class BoxResults(PredictedBoxes):
    """See tasks/task.py, `Results`; predicted.py counts."""

    def per_class(self) -> np.ndarray:
        """`class`, FIELDS, and with labels SCORED_FIELDS and AP_FIELDS, in index order."""
        count = len(self.class_names)
        columns: dict[str, np.ndarray] = {"class": np.array(self.class_names)}
        columns |= {"found": self.found, "frames": self.frames}
        if self.has_scores:
            confusion = self.state["confusion"]
            boxes, missed = confusion[:count].sum(axis=1), confusion[:count, count]
            confused = boxes - missed - np.diagonal(confusion)[:count]
            columns |= {"boxes": boxes, "missed": missed, "confused": confused, "false": confusion[count, :count]}
            columns |= dict(zip(AP_FIELDS, self.state["per_class"].T, strict=True))
        per_class = np.zeros(count, [(name, values.dtype) for name, values in columns.items()])
        for name, values in columns.items():
            per_class[name] = values
        return per_class

    def class_table(self) -> tuple[list[str], list[list[str]]]:
        """(titles, rows) for people: the lowest AP first, or without labels the most frequent class."""
        per_class = self.per_class()
        if self.has_scores:
            fields = {**AP_FIELDS, **SCORED_FIELDS, **FIELDS}
            order = np.argsort(per_class["ap"], kind="stable")  # NaN last
        else:
            fields = FIELDS
            order = np.argsort(-self.found, kind="stable")
        rows = []
        for row in per_class[order]:
            shares = [percent(row[name]) if np.isfinite(row[name]) else NOTHING for name in fields if name in AP_FIELDS]
            rows.append([row["class"], *shares, *(str(row[name]) for name in fields if name not in AP_FIELDS)])
        return ["Class", *fields.values()], rows

    def summary(self) -> list[tuple[str, str]]:
        """(name, value) of the counts and the scores."""
        values = [
            ("Lists", str(len(self.manifests))),
            ("Frames", str(self.rows)),
            ("Read", str(self.rows - self.not_read.total())),
            (f"With a box of at least {percent(SHOWN)} %", str(self.frames_with_box)),
            (f"Boxes of at least {percent(SHOWN)} %", str(self.found.sum())),
            ("Boxes with any score", str(self.boxes)),
        ]
        if self.has_scores:
            values.append(("Frames scored", str(len(self.scored))))
            for name, value in self.scores.figures().items():
                values.append((name.replace("ap", "AP").replace("_", ", "), f"{percent(value)} %"))
        return values

    def write(self, folder: Path) -> str:
        """Write the tables, the page and, with labels, PICTURES into `folder`; without, earlier ones are removed."""
        make_folder(folder)
        per_class = self.per_class()
        arrays = {"per_class": per_class} | ({"confusion": self.state["confusion"]} if self.has_scores else {})
        for name, array in arrays.items():
            with replacing(folder / f"{name}.npy") as temporary, temporary.open("wb") as file:
                np.save(file, array, allow_pickle=False)
        write_csv(folder / "per_class.csv", per_class.dtype.names, per_class.tolist())
        if self.has_scores:
            self.scores.draw(folder)
        else:
            for name in (*PICTURES, "confusion.npy"):
                (folder / name).unlink(missing_ok=True)
        page = render_box_page(
            self, self.summary(), self.class_table(), gallery(self), self.notes, scored=self.has_scores
        )
        write_text(folder / "report.html", page)
        scored = f"confusion.npy, {', '.join(PICTURES)}, " if self.has_scores else ""
        return f"per_class.npy and .csv, {scored}report.html"

    def describe(self) -> str:
        """The classes, and AP where there are labels."""
        titles, rows = self.class_table()
        first = "worst" if self.has_scores else "most frequent"
        more = f"The {CLASSES_SHOWN} {first} of {len(rows)} classes"
        parts = [table(more if len(rows) > CLASSES_SHOWN else "All classes", titles, rows[:CLASSES_SHOWN])]
        if self.has_scores:
            parts.append(summary_table(f"{len(self.scored)} frames", self.scores.figures(), COLUMNS))
        return "\n".join([*parts, *self.notes])

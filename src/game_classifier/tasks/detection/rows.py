"""What batch prediction writes for a detector: a row for each line, and the boxes of all rows in a second array.

docs/formats.md defines the format.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np

from game_classifier.console import percent, table
from game_classifier.errors import InputError
from game_classifier.lists.filelist import FileList
from game_classifier.tasks.detection.average_precision import FOUND
from game_classifier.tasks.detection.found import found_boxes
from game_classifier.tasks.detection.nms import MOST, OVERLAP, SCORE
from game_classifier.tasks.detection.results import BoxResults
from game_classifier.tasks.task import Answered

ROW = np.dtype(
    [
        ("status", "u1"),  # FrameStatus; 0 is read
        ("first", "<i8"),  # the row's boxes are LIST.boxes.npy[first : first + count]
        ("count", "<i4"),
        ("height", "<i4"),  # pixels of the whole picture in the file, upright; 0 where the frame was not read
        ("width", "<i4"),
    ]
)
CORNERS = ("x1", "y1", "x2", "y2")  # pixels of the file's picture
BOX = np.dtype([("row", "<i4"), ("class", "<i4"), ("score", "<f4"), *((name, "<f4") for name in CORNERS)])


@dataclass(frozen=True)
class BoxRows:
    """See tasks/task.py, `Rows`. By default nearly every box is kept, as average precision needs it."""

    least_score: float = SCORE
    boxes = BOX

    def settings(self) -> dict[str, Any]:
        """How boxes are selected."""
        return {"least_score": self.least_score, "overlap": OVERLAP, "most": MOST}

    def with_least_score(self, least_score: float) -> Self:
        """The same with another least score, 0 to 1."""
        if not 0 <= least_score <= 1:  # so written that NaN misses it
            raise InputError(
                f"least score {least_score:g}: give a score from 0 to 1, such as 0.25; boxes above it are kept"
            )
        return replace(self, least_score=least_score)

    def dtype(self, num_classes: int, with_known: bool = False) -> np.dtype:
        """A row of LIST.npy."""
        return ROW

    def begin(self, table: np.ndarray, frames: FileList) -> None:
        """Nothing: zeros are right for a frame that cannot be read."""

    def fill(self, rows: np.ndarray, answered: Answered) -> np.ndarray:
        """The size of the picture and the number of boxes; returns BOX of all rows."""
        found = found_boxes(answered.answers, answered.sizes, answered.preprocessing, self.least_score)
        rows["count"] = [len(each) for each in found]
        rows["height"], rows["width"] = answered.sizes.T
        every = np.concatenate([np.zeros(0, FOUND), *found])
        boxes = np.zeros(len(every), BOX)
        boxes["row"] = np.repeat(answered.rows, rows["count"])
        for name in ("class", "score"):
            boxes[name] = every[name]
        for name, values in zip(CORNERS, every["box"].T, strict=True):
            boxes[name] = values
        return boxes

    def results(self, class_names: tuple[str, ...], refuse: float | None) -> BoxResults:
        """Average precision where the frames have label files, and what was found."""
        if refuse is not None:
            raise InputError(
                f"refusal rate {refuse:g}: the network is a detector, which refuses no frame; leave it out"
            )
        return BoxResults(class_names)

    def describe_row(
        self, row: np.void, boxes: np.ndarray | None, class_names: Sequence[str], refuse_below: float | None
    ) -> str:
        """A table of the boxes, the best first."""
        size = f"{row['width']} x {row['height']} pixels"
        if not len(boxes):
            return f"no box above a score of {percent(self.least_score)} on {size}"
        rows = [
            [class_names[box["class"]], percent(box["score"]), *(f"{box[name]:.1f}" for name in CORNERS)]
            for box in boxes
        ]
        return table(f"{len(boxes)} boxes on {size}", ["Class", "Score", *CORNERS], rows)

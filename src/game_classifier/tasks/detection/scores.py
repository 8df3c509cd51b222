"""A detector's scores: average precision, confusion with background, and the frames with the most errors."""

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from game_classifier.console import percent, table
from game_classifier.frames.decode import FrameError, Preprocessing, read_whole_frame
from game_classifier.lists.box_list import FrameBoxes
from game_classifier.lists.filelist import FileList
from game_classifier.pages.box_pictures import ShownFrame, draw_sheet, plot_precision_recall
from game_classifier.pages.plots import plot_confusion
from game_classifier.tasks.detection.average_precision import AveragePrecision, FrameResult, average_precision
from game_classifier.tasks.detection.confusion import SHOWN, add_frame
from game_classifier.tasks.detection.found import found_boxes, true_boxes

COLUMNS = {"ap": "AP", "ap50": "AP50", "ap75": "AP75"}
CURVES = {"ap": "AP", "ap50": "AP50", "ap75": "AP75"}
WORST_SHOWN = 12
CLASSES_SHOWN = 20
BACKGROUND = "background"


class FoundScores:
    """The scores of boxes after NMS. `paths` are those of all frames that may be added; it may grow."""

    def __init__(self, class_names: Sequence[str], paths: Sequence[str]) -> None:
        self.class_names = tuple(class_names)
        self.paths = paths
        self.results: dict[int, FrameResult] = {}  # number of a frame in `paths` -> its boxes
        self.loaded: dict[str, Tensor] = {}

    @property
    def frames(self) -> int:
        """How many frames were counted; background counts too."""
        return len(self.results)

    def add_frame(self, number: int, frame: FrameResult) -> None:
        """Add the boxes of a frame."""
        self.results[number] = frame
        self.__dict__.pop("average_precision", None)

    def merge(self, other: "FoundScores") -> None:
        """Add the frames of `other`."""
        self.results |= other.results
        self.__dict__.pop("average_precision", None)

    @cached_property
    def average_precision(self) -> AveragePrecision:
        """Over the frames so far."""
        return average_precision(self.results, len(self.class_names))

    def figures(self) -> dict[str, float]:
        """AP over IoU 0.5 to 0.95, at 0.5 and at 0.75, and of the sizes of objects that occur."""
        figures = self.average_precision.figures
        return {name: value for name, value in figures.items() if name in COLUMNS or np.isfinite(value)}

    def state_dict(self) -> dict[str, Tensor]:
        """`per_class` and `precision` of AveragePrecision, `confusion` [C + 1, C + 1], and the worst frames.

        `worst` are rows of the list, int64 [w]; `worst_boxes` float32 [b, 7] are the frame's number in it, score (NaN
        for a true box), class and corners.
        """
        confusion = np.zeros((len(self.class_names) + 1,) * 2, np.int64)
        errors = {row: add_frame(confusion, self.results[row]) for row in sorted(self.results)}
        worst = [row for row in sorted(errors, key=lambda row: (-errors[row], row)) if errors[row]][:WORST_SHOWN]
        boxes = [
            [number, score, label, *box]
            for number, row in enumerate(worst)
            for label, score, box in shown_boxes(self.results[row])
        ]
        arrays = {
            "per_class": self.average_precision.per_class,
            "precision": self.average_precision.precision,
            "confusion": confusion,
            "worst": np.array(worst, np.int64),
            "worst_boxes": np.array(boxes, np.float32).reshape(-1, 7),
        }
        return {name: torch.from_numpy(array) for name, array in arrays.items()}

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Keep the state for `describe` and `draw`."""
        self.loaded = dict(state)

    def _state(self) -> dict[str, np.ndarray]:
        return {name: value.numpy() for name, value in (self.loaded or self.state_dict()).items()}

    def describe(self) -> str:
        """The classes with the lowest AP first."""
        state = self._state()
        per_class, confusion = state["per_class"], state["confusion"]
        known = np.flatnonzero(np.isfinite(per_class[:, 0]))
        order = known[np.argsort(per_class[known, 0], kind="stable")][:CLASSES_SHOWN]
        title = f"The worst {len(order)} of {len(known)} classes" if len(order) < len(known) else "All classes"
        rows = []
        for label in order:
            boxes, missed, false = confusion[label].sum(), confusion[label, -1], confusion[-1, label]
            shares = [percent(value) for value in per_class[label]]
            rows.append([self.class_names[label], *shares, *(str(each) for each in (boxes, missed, false))])
        return table(title, ["Classes", "AP", "AP50", "Boxes", f"Missed At {SHOWN}", f"False At {SHOWN}"], rows)

    def draw(self, folder: Path) -> None:
        """Write precision_recall.png, confusion.png and worst_frames.png into `folder`."""
        state = self._state()
        plot_precision_recall(folder / "precision_recall.png", state["precision"], self.class_names)
        plot_confusion(folder / "confusion.png", state["confusion"], (*self.class_names, BACKGROUND), "boxes")
        shown = []
        for number, row in enumerate(state["worst"].tolist()):
            boxes = state["worst_boxes"][state["worst_boxes"][:, 0] == number]
            try:
                pixels = read_whole_frame(self.paths[row])
            except FrameError:  # it was there when it was scored
                continue
            named = [(self.class_names[int(label)], float(score), box) for _, score, label, *box in boxes]
            shown.append(ShownFrame(Path(self.paths[row]).name, pixels, named))
        draw_sheet(folder / "worst_frames.png", shown)


class BoxScores(FoundScores):
    """See tasks/task.py, `Scores`."""

    def __init__(self, class_names: Sequence[str], frames: FileList, preprocessing: Preprocessing) -> None:
        super().__init__(class_names, frames.paths)
        self.preprocessing = preprocessing

    def add(self, answers: tuple[np.ndarray, np.ndarray], targets: FrameBoxes) -> None:
        """Add answers, boxes [n, M, 4] in pixels of the network's frames and scores [n, M, C]."""
        for number, found in enumerate(found_boxes(answers, targets.sizes, self.preprocessing)):
            true = true_boxes(targets.of(number), targets.sizes[number])
            self.add_frame(int(targets.rows[number]), FrameResult(true, found))


def shown_boxes(frame: FrameResult) -> list[tuple[int, float, list[float]]]:
    """(class, score, corners) of the true boxes, whose score is NaN, and of those found that count."""
    true = [(label, float("nan"), box) for label, box in frame.true.tolist()]
    return true + [each for each in frame.found.tolist() if each[1] >= SHOWN]

"""Adding up all rows and boxes of a folder of a detector's predictions."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from game_classifier.frames.decode import FrameStatus
from game_classifier.scoring.predicted_lists import PredictedLists, list_name
from game_classifier.scoring.ranking import RANKED, Ranking
from game_classifier.tasks.detection.average_precision import FOUND, TRUE, FrameResult
from game_classifier.tasks.detection.confusion import SHOWN
from game_classifier.tasks.detection.found import true_boxes
from game_classifier.tasks.detection.labelled import Labelled, read_labels
from game_classifier.tasks.detection.nms import SCORE
from game_classifier.tasks.detection.scores import FoundScores

FRAMES_SHOWN = 12  # of each kind but one
# A box of LIST.boxes.npy as FOUND: the same bytes, which stay in the file.
FOUND_IN_ROW = {"names": FOUND.names, "formats": [FOUND[name] for name in FOUND.names], "offsets": (4, 8, 12)}


@dataclass(frozen=True)
class Chunk:
    """Successive rows of a list, and their boxes."""

    start: int
    rows: np.ndarray
    boxes: np.ndarray  # mapped


class PredictedBoxes(PredictedLists):
    """Counts, scores and the frames worth a look, to which the rows of any number of lists are added.

    Boxes stay in their files; a row takes some bytes of memory, and one with labels a kilobyte.
    """

    def __init__(self, class_names: tuple[str, ...]) -> None:
        super().__init__(class_names)
        self.chunks: list[list[Chunk]] = []  # of each list
        self.found = np.zeros(len(class_names), np.int64)  # boxes with a score of at least SHOWN
        self.frames = np.zeros(len(class_names), np.int64)  # frames with such a box
        self.boxes = 0  # with any score
        self.frames_with_box = 0  # of at least SHOWN
        self.notes: list[str] = []
        self.labelled = Labelled([], None)  # the current list
        self.true = 0  # boxes of label files, on frames that were read
        self.scored: dict[tuple[int, int], int] = {}  # (list, row) -> number of the frame in `scores`
        self.paths: list[str] = []  # of the same
        self.scores = FoundScores(class_names, self.paths)
        self.surest = Ranking(1, highest=True, of_each_pair=True)  # of each class
        self.most = Ranking(FRAMES_SHOWN, highest=True)  # by the number of boxes of at least SHOWN
        self.nearly = Ranking(FRAMES_SHOWN, highest=True)  # by the best score, of frames without such a box

    def add_list(self, manifest: dict[str, Any]) -> None:
        """Begin the next list, and read its label files."""
        super().add_list(manifest)
        self.chunks.append([])
        self.labelled = read_labels(manifest)
        if self.labelled.problem:
            self.notes.append(f"{list_name(manifest)} is not scored: {self.labelled.problem}")
        if self.labelled.boxes is not None and manifest["least_score"] > SCORE:
            self.notes.append(
                f"{list_name(manifest)}: predicted with a least score of {manifest['least_score']:g}, so its average"
                f" precision is lower than with the default of {SCORE:g}"
            )

    def add_rows(self, start: int, rows: np.ndarray, boxes: np.ndarray | None) -> None:
        """Add rows [N] of the current list and their boxes; the first of them is row `start`."""
        chunk = Chunk(start, rows, boxes)
        self.chunks[-1].append(chunk)
        self.rows += len(rows)
        self.boxes += len(boxes)
        shown = boxes[boxes["score"] >= SHOWN]
        self.found += np.bincount(shown["class"], minlength=len(self.class_names))
        pairs = np.unique(np.stack([shown["row"], shown["class"]]), axis=1)
        self.frames += np.bincount(pairs[1], minlength=len(self.class_names))
        self._rank(start, rows, boxes, shown)
        if self.labelled.boxes is None:
            return
        found = boxes.view(np.dtype({**FOUND_IN_ROW, "itemsize": boxes.dtype.itemsize}))
        for number in np.flatnonzero(rows["status"] == FrameStatus.OK).tolist():
            row, each = start + number, rows[number]
            first = each["first"] - rows["first"][0]
            size = np.array([each["height"], each["width"]])
            true = true_boxes(self.labelled.boxes[row], size)
            self.true += len(true)
            self.scored[len(self.manifests) - 1, row] = len(self.paths)
            self.scores.add_frame(len(self.paths), FrameResult(true, found[first : first + each["count"]]))
            self.paths.append(self.labelled.paths[row])

    def _rank(self, start: int, rows: np.ndarray, boxes: np.ndarray, shown: np.ndarray) -> None:
        """Keep the frames for the gallery."""
        counts = np.bincount(shown["row"] - start, minlength=len(rows))
        self.frames_with_box += int((counts > 0).sum())
        self.most.add(self._ranked(start + np.flatnonzero(counts), counts[counts > 0]))
        self.surest.add(self._ranked(shown["row"], shown["score"], shown["class"]))
        nearly = np.flatnonzero((counts == 0) & (rows["count"] > 0))
        best = boxes["score"][rows["first"][nearly] - rows["first"][0]]  # a row's first box is its best
        self.nearly.add(self._ranked(start + nearly, best))

    def _ranked(self, rows: np.ndarray, scores: np.ndarray, labels: np.ndarray | int = 0) -> np.ndarray:
        ranked = np.zeros(len(rows), RANKED)
        ranked["shard"] = len(self.manifests) - 1
        ranked["row"], ranked["score"], ranked["pred"] = rows, scores, labels
        return ranked

    def frame(self, shard: int, row: int) -> tuple[np.void, np.ndarray]:
        """A row of a list, and its boxes."""
        chunk = next(each for each in self.chunks[shard] if row < each.start + len(each.rows))
        each = chunk.rows[row - chunk.start]
        first = each["first"] - chunk.rows["first"][0]
        return each, chunk.boxes[first : first + each["count"]]

    @cached_property
    def state(self) -> dict[str, np.ndarray]:
        """FoundScores.state_dict as arrays; counting takes seconds for thousands of frames."""
        state = self.scores.state_dict()
        self.scores.load_state_dict(state)
        return {name: value.numpy() for name, value in state.items()}

    @property
    def has_scores(self) -> bool:
        """Whether a frame that was read has a true box."""
        return self.true > 0

    def true_of(self, shard: int, row: int) -> np.ndarray:
        """The true boxes on a row's frame, TRUE [n]."""
        number = self.scored.get((shard, row))
        return np.zeros(0, TRUE) if number is None else self.scores.results[number].true

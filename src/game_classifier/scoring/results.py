"""Adding up all rows of a folder of predictions."""

from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np

from game_classifier.frames.decode import FrameStatus
from game_classifier.lists.filelist import UNLABELLED
from game_classifier.scoring.calibration import Calibration
from game_classifier.scoring.metrics import Scores
from game_classifier.scoring.ranking import RANKED, Ranking

UNREAD_KEPT = 100
FRAMES_RANKED = 40  # of the most confident wrong ones, and of the least confident
FRAMES_OF_A_PAIR = 4


@dataclass(frozen=True)
class UnreadFile:
    """A frame that could not be read."""

    source: str  # the list
    line: int
    path: str
    reason: str

    def __str__(self) -> str:
        return f"{self.source}:{self.line}: {self.path}: {self.reason}"


class Results:
    """Counts, scores and the frames worth a look, to which the rows of any number of lists are added.

    The memory does not grow with the rows, except for the frames of confused pairs: a few for each pair that occurs.
    """

    def __init__(self, class_names: tuple[str, ...]) -> None:
        self.class_names = class_names
        self.scores = Scores(len(class_names))  # over the labelled rows that were read
        self.calibration = Calibration()  # over the same
        self.rows = 0
        self.unlabelled = 0
        self.predicted = np.zeros(len(class_names), np.int64)  # how often each class was, labelled or not
        self.not_read: Counter[str] = Counter()  # reason -> rows
        self.first_not_read: list[UnreadFile] = []
        self.manifests: list[dict[str, Any]] = []  # of each list; RANKED counts them
        self.surely_wrong = Ranking(FRAMES_RANKED, highest=True)
        self.least_sure = Ranking(FRAMES_RANKED, highest=False)  # right or wrong, labelled or not
        self.of_pairs = Ranking(FRAMES_OF_A_PAIR, highest=True, of_each_pair=True)  # wrong ones

    @property
    def scored(self) -> int:
        """The labelled rows that were read."""
        return self.scores.frames

    def add_list(self, manifest: dict[str, Any]) -> None:
        """Begin the next list; its rows follow."""
        self.manifests.append(manifest)
        self.not_read.update(manifest["not_read"])
        missing = UNREAD_KEPT - len(self.first_not_read)
        self.first_not_read += [
            UnreadFile(list_name(manifest), each["line"], each["path"], each["reason"])
            for each in manifest["first_not_read"][:missing]
        ]

    def add_rows(self, start: int, rows: np.ndarray) -> None:
        """Add rows [N] of the current list; the first of them is row `start`."""
        numbers = np.arange(start, start + len(rows))
        was_read = rows["status"] == FrameStatus.OK
        read = rows[was_read]
        ranked = np.zeros(len(read), RANKED)
        ranked["shard"] = len(self.manifests) - 1
        ranked["row"] = numbers[was_read]
        for name in ("label", "pred", "score"):
            ranked[name] = read[name]
        labelled = read["label"] != UNLABELLED
        right = read["label"] == read["pred"]
        wrong = ranked[labelled & ~right]

        self.rows += len(rows)
        self.unlabelled += int((rows["label"] == UNLABELLED).sum())
        self.predicted += np.bincount(read["pred"], minlength=len(self.class_names))
        self.scores.add(read["probs"], read["label"])
        self.calibration.add(read["score"][labelled], right[labelled])
        self.surely_wrong.add(wrong)
        self.of_pairs.add(wrong)
        self.least_sure.add(ranked)


def list_name(manifest: dict[str, Any]) -> str:
    """The list that a manifest names; "?" if an old manifest names none."""
    return manifest.get("list") or "?"

"""Adding up all rows of a folder of predictions."""

import numpy as np

from game_classifier.frames.decode import FrameStatus
from game_classifier.lists.filelist import UNKNOWN, UNLABELLED
from game_classifier.scoring.calibration import Calibration
from game_classifier.scoring.metrics import Scores
from game_classifier.scoring.predicted_lists import PredictedLists
from game_classifier.scoring.ranking import RANKED, Ranking
from game_classifier.scoring.refusal import Refusing

FRAMES_RANKED = 40  # of the most confident wrong ones, and of the least confident
FRAMES_OF_A_PAIR = 4
FRAMES_REFUSED = 20  # with the lowest `known`, and as many unknown ones that got a class, with the highest


class Results(PredictedLists):
    """Counts, scores and the frames worth a look, to which the rows of any number of lists are added.

    The memory does not grow with the rows, except for the frames of confused pairs, a few for each pair that occurs,
    and for the `known` scores of labelled rows.
    """

    def __init__(self, class_names: tuple[str, ...]) -> None:
        super().__init__(class_names)
        self.threshold = 0.0  # of `known`, for the rows that are added next; 0: none of them is refused
        self.refusing = Refusing(len(class_names))
        self.scores = Scores(len(class_names))  # over the labelled rows that were read
        self.calibration = Calibration()  # over the same
        self.unlabelled = 0
        self.unknown = 0  # rows whose line says that the frame shows none of the classes
        self.predicted = np.zeros(len(class_names), np.int64)  # how often each class was, labelled or not
        self.surely_wrong = Ranking(FRAMES_RANKED, highest=True)
        self.least_sure = Ranking(FRAMES_RANKED, highest=False)  # right or wrong, labelled or not
        self.of_pairs = Ranking(FRAMES_OF_A_PAIR, highest=True, of_each_pair=True)  # wrong ones
        self.refused = Ranking(FRAMES_REFUSED, highest=False)  # by `known`: frames of classes, and unlabelled ones
        self.slipped_through = Ranking(FRAMES_REFUSED, highest=True)  # by `known`: unknown frames that got a class

    @property
    def scored(self) -> int:
        """The labelled rows that were read."""
        return self.scores.frames

    def add_rows(self, start: int, rows: np.ndarray, boxes: None = None) -> None:
        """Add rows [N] of the current list; the first of them is row `start`. There are no boxes."""
        numbers = np.arange(start, start + len(rows))
        was_read = rows["status"] == FrameStatus.OK
        read = rows[was_read]
        ranked = np.zeros(len(read), RANKED)
        ranked["shard"] = len(self.manifests) - 1
        ranked["row"] = numbers[was_read]
        for name in ("label", "pred", "score"):
            ranked[name] = read[name]
        labelled = read["label"] >= 0
        right = read["label"] == read["pred"]
        wrong = ranked[labelled & ~right]

        self.rows += len(rows)
        self.unlabelled += int((rows["label"] == UNLABELLED).sum())
        self.unknown += int((rows["label"] == UNKNOWN).sum())
        self.predicted += np.bincount(read["pred"], minlength=len(self.class_names))
        self.scores.add(read["probs"], read["label"])
        self.calibration.add(read["score"][labelled], right[labelled])
        self.surely_wrong.add(wrong)
        self.of_pairs.add(wrong)
        self.least_sure.add(ranked)
        # Predictions from before there was the score have none.
        known = read["known"] if "known" in rows.dtype.names else np.full(len(read), np.nan, np.float32)
        refused = self.refusing.add(known, read["label"], read["pred"], self.threshold)
        is_unknown = read["label"] == UNKNOWN
        ranked["score"] = known
        self.refused.add(ranked[refused & ~is_unknown])
        self.slipped_through.add(ranked[~refused & is_unknown & ~np.isnan(known)])

"""How well frames of no known game are told from the others, and what refusing them at a threshold costs.

Labelled rows are frames of a class, or unknown ones: lines with the label UNKNOWN. A row without a `known` score is
never refused.
"""

from dataclasses import dataclass

import numpy as np

from game_classifier.lists.filelist import UNKNOWN

CAUGHT = 0.95  # of the unknown frames, where FPR95 counts the known ones


@dataclass(frozen=True)
class RefusalSummary:
    """Shares in 0..1; NaN where there are no frames of that sort."""

    refused: float  # of the known frames
    error: float  # wrong among the known frames that are answered
    caught: float  # of the unknown frames
    auroc: float  # known frames against unknown ones
    fpr95: float  # of the known frames, refused where 95% of the unknown ones are

    @property
    def coverage(self) -> float:
        """Of the known frames, those that are answered."""
        return 1 - self.refused


class Refusing:
    """Counts of refused rows, and the scores of labelled ones, to which batches of any size are added.

    Only the scores of labelled rows are kept, 4 bytes each: an AUROC needs them all.
    """

    def __init__(self, num_classes: int) -> None:
        # Rows: true class, columns: the answer; the last row is for unknown frames, the last column for refused ones.
        self.confusion = np.zeros((num_classes + 1, num_classes + 1), np.int64)
        self.rows = 0  # that have a score
        self.refused = 0  # of all of them, labelled or not
        self._known: list[np.ndarray] = []
        self._unknown: list[np.ndarray] = []

    def add(self, known: np.ndarray, labels: np.ndarray, predicted: np.ndarray, threshold: float) -> np.ndarray:
        """Add rows: scores float32 [N], NaN for none, labels and classes int [N]; returns those refused, bool [N]."""
        with_score = ~np.isnan(known)
        refused = known < threshold  # NaN is not
        answers = np.where(refused, len(self.confusion) - 1, predicted)
        truths = np.where(labels == UNKNOWN, len(self.confusion) - 1, labels)
        counted = truths >= 0
        np.add.at(self.confusion, (truths[counted], answers[counted]), 1)
        self.rows += int(with_score.sum())
        self.refused += int(refused.sum())
        self._known.append(known[with_score & (labels >= 0)])
        self._unknown.append(known[with_score & (labels == UNKNOWN)])
        return refused

    def refused_of_classes(self) -> np.ndarray:
        """Refused frames of each class, int64 [C]."""
        return self.confusion[:-1, -1]

    def wrong_of_classes(self) -> np.ndarray:
        """Frames of each class that got another class, int64 [C]."""
        answered = self.confusion[:-1, :-1]
        return answered.sum(axis=1) - answered.diagonal()

    @property
    def unknown(self) -> int:
        """Frames that are labelled as unknown."""
        return int(self.confusion[-1].sum())

    def roc(self) -> np.ndarray:
        """The shares of known and of unknown frames refused, from none to all: float64 [2, K]; [2, 0] without both."""
        from sklearn.metrics import roc_curve  # takes a second to import

        known, unknown = np.concatenate([*self._known, []]), np.concatenate([*self._unknown, []])
        if not len(known) or not len(unknown):
            return np.zeros((2, 0))
        return np.stack(roc_curve(_is_unknown(known, unknown), -np.concatenate([known, unknown]))[:2])

    def summary(self) -> RefusalSummary:
        """The figures at the threshold that each row was added with."""
        from sklearn.metrics import roc_auc_score

        of_classes, of_unknown = self.confusion[:-1], self.confusion[-1]
        answered = of_classes[:, :-1]
        known, unknown = np.concatenate([*self._known, []]), np.concatenate([*self._unknown, []])
        auroc = fpr95 = float("nan")
        if len(known) and len(unknown):
            auroc = float(roc_auc_score(_is_unknown(known, unknown), -np.concatenate([known, unknown])))
            lost, caught = self.roc()
            fpr95 = float(lost[caught >= CAUGHT][0])
        return RefusalSummary(
            refused=_share(of_classes[:, -1].sum(), of_classes.sum()),
            error=_share(answered.sum() - answered.trace(), answered.sum()),
            caught=_share(of_unknown[-1], of_unknown.sum()),
            auroc=auroc,
            fpr95=fpr95,
        )


def _is_unknown(known: np.ndarray, unknown: np.ndarray) -> np.ndarray:
    return np.arange(len(known) + len(unknown)) >= len(known)


def _share(part: np.integer, whole: np.integer) -> float:
    return float(part) / float(whole) if whole else float("nan")

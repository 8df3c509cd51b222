"""Whether the probabilities are right: of the frames predicted with 80%, 80% should be correct."""

import numpy as np

BINS = 15  # of equal width, as in Guo et al. 2017, "On Calibration of Modern Neural Networks"
EDGES = np.linspace(0, 1, BINS + 1)

RELIABILITY = np.dtype(
    [
        ("low", "f8"),  # the bin holds the probabilities above `low` ...
        ("high", "f8"),  # ... up to and with `high`
        ("count", "i8"),
        ("confidence", "f8"),  # mean probability of the predicted class; 0 where the bin is empty
        ("accuracy", "f8"),  # share of right predictions; 0 where the bin is empty
    ]
)


class Calibration:
    """Counts of predictions by their probability, to which batches of any size are added."""

    def __init__(self) -> None:
        self.count = np.zeros(BINS, np.int64)
        self.right = np.zeros(BINS, np.int64)
        self.probability = np.zeros(BINS)  # summed

    def add(self, probability: np.ndarray, right: np.ndarray) -> None:
        """Add frames: the predicted class's probability float [N], and whether it was right, bool [N]."""
        # The first bin holds 0 too. NaN, which sorts last, makes the error NaN instead of being passed over.
        bins = np.clip(np.searchsorted(EDGES, probability.astype(np.float64), side="left") - 1, 0, BINS - 1)
        self.count += np.bincount(bins, minlength=BINS)
        self.right += np.bincount(bins[right], minlength=BINS)
        self.probability += np.bincount(bins, probability, minlength=BINS)

    def merge(self, other: "Calibration") -> None:
        """Add the counts of `other`."""
        self.count += other.count
        self.right += other.right
        self.probability += other.probability

    def table(self) -> np.ndarray:
        """RELIABILITY [BINS], from the lowest probability to the highest."""
        table = np.zeros(BINS, RELIABILITY)
        table["low"], table["high"], table["count"] = EDGES[:-1], EDGES[1:], self.count
        for name, total in (("confidence", self.probability), ("accuracy", self.right)):
            np.divide(total, self.count, out=table[name], where=self.count > 0)
        return table

    def mean_confidence(self) -> float:
        """Mean probability of the predicted class, 0..1; NaN without frames."""
        total = int(self.count.sum())
        return float(self.probability.sum()) / total if total else float("nan")

    def error(self) -> float:
        """Expected calibration error, 0..1: how far confidence and accuracy lie apart; NaN without frames."""
        total = int(self.count.sum())
        return float(np.abs(self.probability - self.right).sum()) / total if total else float("nan")

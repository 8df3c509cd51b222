"""Scores of a classifier, from counts: the one definition that training and evaluation share."""

from dataclasses import dataclass

import numpy as np

TOP_K = 5

PER_CLASS_FIELDS = [
    ("support", "i8"),  # labelled frames of the class that were read
    ("tp", "i8"),
    ("fp", "i8"),
    ("fn", "i8"),
    ("precision", "f8"),
    ("recall", "f8"),
    ("f1", "f8"),
]
CONFUSED_PAIR = np.dtype(
    [
        ("true", "i8"),
        ("predicted", "i8"),  # another class
        ("count", "i8"),  # frames of the first that were taken for the second
        ("share", "f8"),  # of the first's support
    ]
)


@dataclass(frozen=True)
class Summary:
    """Scores over all labelled frames that were read, each in 0..1; NaN where there are none."""

    top1: float
    top5: float
    mean_precision: float
    mean_recall: float
    mean_f1: float


class Scores:
    """Counts of right and wrong predictions, to which batches of any size are added.

    Counting first and dividing once makes the result independent of how the frames were batched.
    """

    def __init__(self, num_classes: int) -> None:
        self.confusion = np.zeros((num_classes, num_classes), np.int64)  # rows: true class, columns: predicted
        self.in_top_k = 0

    @property
    def frames(self) -> int:
        """How many were counted."""
        return int(self.confusion.sum())

    def add(self, probabilities: np.ndarray, labels: np.ndarray) -> None:
        """Add frames: probabilities float [N, C], labels int [N] in 0..C-1; those below 0 count nowhere.

        Among equal probabilities the lower index ranks first, for top-1 and top-5 alike, as in argmax.
        """
        labelled = labels >= 0
        probabilities, labels = probabilities[labelled], labels[labelled]
        np.add.at(self.confusion, (labels, probabilities.argmax(axis=1)), 1)
        own = probabilities[np.arange(len(labels)), labels][:, None]
        before = np.arange(probabilities.shape[1]) < labels[:, None]
        rank = ((probabilities > own) | ((probabilities == own) & before)).sum(axis=1)
        self.in_top_k += int((rank < TOP_K).sum())

    def merge(self, other: "Scores") -> None:
        """Add the counts of `other`."""
        self.confusion += other.confusion
        self.in_top_k += other.in_top_k

    def per_class(self, class_names: tuple[str, ...]) -> np.ndarray:
        """Structured array [C]: class, support, tp, fp, fn, precision, recall, f1, in index order.

        A ratio whose denominator is zero is 0.
        """
        from sklearn.metrics import precision_recall_fscore_support  # takes a second to import

        width = max(1, *map(len, class_names))
        table = np.zeros(len(class_names), [("class", f"U{width}"), *PER_CLASS_FIELDS])
        table["class"] = class_names
        table["tp"] = tp = self.confusion.diagonal()
        table["support"] = support = self.confusion.sum(axis=1)
        table["fp"] = self.confusion.sum(axis=0) - tp
        table["fn"] = support - tp
        # Each cell of the matrix is one row with a weight: the same figures as of all frames, in 10 ms for 104 classes.
        true, predicted = np.nonzero(self.confusion)
        if len(true):
            table["precision"], table["recall"], table["f1"], _ = precision_recall_fscore_support(
                true,
                predicted,
                labels=np.arange(len(table)),
                sample_weight=self.confusion[true, predicted],
                zero_division=0,
            )
        return table

    def summary(self) -> Summary:
        """Top-1, top-5, and the means over the classes that have labelled frames."""
        total = int(self.confusion.sum())
        if total == 0:
            return Summary(*[float("nan")] * 5)
        table = self.per_class(("",) * len(self.confusion))
        present = table[table["support"] > 0]
        means = [float(present[name].mean()) for name in ("precision", "recall", "f1")]
        return Summary(float(self.confusion.trace()) / total, self.in_top_k / total, *means)


def confused_pairs(confusion: np.ndarray) -> np.ndarray:
    """CONFUSED_PAIR [P] of counts int [C, C]: each pair of two classes that occurs, the most frequent first.

    Among equal counts the larger share comes first, then the lower indices.
    """
    true, predicted = np.nonzero(confusion * ~np.eye(len(confusion), dtype=bool))
    pairs = np.zeros(len(true), CONFUSED_PAIR)
    pairs["true"], pairs["predicted"] = true, predicted
    pairs["count"] = confusion[true, predicted]
    pairs["share"] = pairs["count"] / confusion.sum(axis=1)[true]
    return pairs[np.lexsort((predicted, true, -pairs["share"], -pairs["count"]))]


def mostly_taken_for(confusion: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Of counts int [C, C]: the class int64 [C] that each class is most often wrongly taken for, and how often.

    Where that is never, the count is 0 and the class means nothing.
    """
    wrong = confusion * ~np.eye(len(confusion), dtype=bool)
    return wrong.argmax(axis=1), wrong.max(axis=1)

"""Tables for the terminal: the title in the top border, shares in percent with two decimals."""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from game_classifier.console import percent, table
from game_classifier.scoring.metrics import Summary, mostly_taken_for

WORST_CLASSES_SHOWN = 20
SCORES = ["Top-1 Acc", "Top-5 Acc", "Mean Precision", "Mean Recall", "Mean F1 Score"]


def summary_table(title: str, summary: Summary) -> str:
    """One row of the five scores."""
    scores = (summary.top1, summary.top5, summary.mean_precision, summary.mean_recall, summary.mean_f1)
    return table(title, SCORES, [[percent(score) for score in scores]], first_number=0)


def folds_table(numbers: Sequence[int], scores: np.ndarray) -> str:
    """The five scores float [K, 5] of each fold, then their mean and sample standard deviation."""
    rows = [[str(number), *map(percent, row)] for number, row in zip(numbers, scores, strict=True)]
    rows.append(["mean", *map(percent, scores.mean(axis=0))])
    if len(scores) > 1:
        rows.append(["deviation", *map(percent, scores.std(axis=0, ddof=1))])
    return table(f"Best epochs of {len(scores)} folds", ["Fold", *SCORES], rows)


def worst_classes_table(per_class: np.ndarray, confusion: np.ndarray) -> str:
    """The classes with the lowest F1 first, each with the class it is most often taken for."""
    labelled = np.flatnonzero(per_class["support"])
    order = labelled[np.argsort(per_class["f1"][labelled], kind="stable")][:WORST_CLASSES_SHOWN]
    title = f"The worst {len(order)} of {len(labelled)} classes" if len(order) < len(labelled) else "All classes"
    header = ["Classes", "Precision", "Recall", "F1 Score", "Support", "Mostly Taken For"]
    other, times = mostly_taken_for(confusion)
    rows = []
    for index in order:
        row = per_class[index]
        taken_for = f"{per_class['class'][other[index]]} ({times[index]})" if times[index] else ""
        scores = [percent(row[name]) for name in ("precision", "recall", "f1")]
        rows.append([row["class"], *scores, str(row["support"]), taken_for])
    return table(title, header, rows)


def class_counts_table(counts: Mapping[str, Mapping[str, int]]) -> str:
    """Class, index, and the number of images on each side; the sums last."""
    rows = [[name, str(index), *map(str, sides.values())] for index, (name, sides) in enumerate(counts.items())]
    sides = list(next(iter(counts.values())))
    sums = [str(sum(of[side] for of in counts.values())) for side in sides]
    return table("Classes", ["Class", "Index", *(side.capitalize() for side in sides)], [*rows, ["all", "", *sums]])


def predicted_counts_table(class_names: Sequence[str], counts: np.ndarray) -> str:
    """How often each class was predicted, the most frequent first: what can be said without labels."""
    order = [index for index in np.argsort(-counts, kind="stable") if counts[index]]
    rows = [[class_names[index], str(counts[index]), percent(counts[index] / counts.sum())] for index in order]
    return table("Predicted", ["Class", "Frames", "Share"], rows)


def top_classes_table(names: Sequence[str], probabilities: Iterable[float]) -> str:
    """The likeliest classes of one image."""
    rows = [[name, percent(value)] for name, value in zip(names, probabilities, strict=True)]
    return table("Likeliest", ["Class", "Probability"], rows)

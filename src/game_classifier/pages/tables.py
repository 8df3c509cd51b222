"""Tables for the terminal: the title in the top border, shares in percent with two decimals."""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from game_classifier.console import percent, table
from game_classifier.scoring.metrics import mostly_taken_for

WORST_CLASSES_SHOWN = 20


def summary_table(title: str, figures: Mapping[str, float], columns: Mapping[str, str]) -> str:
    """One row of scores in 0..1; `columns` are the names of those shown, with their titles."""
    shown = [percent(figures[name]) for name in columns]
    return table(title, list(columns.values()), [shown], first_number=0)


def folds_table(folds: Mapping[int, Mapping[str, float]], columns: Mapping[str, str]) -> str:
    """The scores of each fold, then their mean and sample standard deviation."""
    scores = np.array([[folds[number][name] for name in columns] for number in sorted(folds)])
    rows = [[str(number), *map(percent, row)] for number, row in zip(sorted(folds), scores, strict=True)]
    rows.append(["mean", *map(percent, scores.mean(axis=0))])
    if len(scores) > 1:
        rows.append(["deviation", *map(percent, scores.std(axis=0, ddof=1))])
    return table(f"Best epochs of {len(scores)} folds", ["Fold", *columns.values()], rows)


def worst_classes_table(per_class: np.ndarray, confusion: np.ndarray) -> str:
    """The classes with the lowest F1 first, each with the class it is most often taken for."""
    labelled = np.flatnonzero(per_class["support"])
    order = labelled[np.argsort(per_class["f1"][labelled], kind="stable")][:WORST_CLASSES_SHOWN]
    title = f"The worst {len(order)} of {len(labelled)} classes" if len(order) < len(labelled) else "All classes"
    counts = [name for name in ("wrong", "refused") if name in per_class.dtype.names]
    header = ["Classes", "Precision", "Recall", "F1 Score", "Support"]
    header += [*(name.capitalize() for name in counts), "Mostly Taken For"]
    other, times = mostly_taken_for(confusion)
    rows = []
    for index in order:
        row = per_class[index]
        taken_for = f"{per_class['class'][other[index]]} ({times[index]})" if times[index] else ""
        scores = [percent(row[name]) for name in ("precision", "recall", "f1")]
        rows.append([row["class"], *scores, *(str(row[name]) for name in ("support", *counts)), taken_for])
    return table(title, header, rows)


def class_counts_table(counts: Mapping[str, Mapping[str, int]]) -> str:
    """Class, index, and the number of images on each side; the sums last."""
    rows = [[name, str(index), *map(str, sides.values())] for index, (name, sides) in enumerate(counts.items())]
    sides = list(next(iter(counts.values())))
    sums = [str(sum(of[side] for of in counts.values())) for side in sides]
    return table("Classes", ["Class", "Index", *(side.capitalize() for side in sides)], [*rows, ["all", "", *sums]])


def predicted_counts_table(class_names: Sequence[str], counts: np.ndarray) -> str:
    """How often each class was predicted, the most frequent first; this needs no labels."""
    order = [index for index in np.argsort(-counts, kind="stable") if counts[index]]
    rows = [[class_names[index], str(counts[index]), percent(counts[index] / counts.sum())] for index in order]
    return table("Predicted", ["Class", "Frames", "Share"], rows)


def top_classes_table(names: Sequence[str], probabilities: Iterable[float]) -> str:
    """The most likely classes of one image."""
    rows = [[name, percent(value)] for name, value in zip(names, probabilities, strict=True)]
    return table("Most likely", ["Class", "Probability"], rows)

"""The results of predictions as rows: for the terminal, and for the page."""

import numpy as np

from game_classifier.console import percent, table
from game_classifier.scoring.calibration import BINS, Calibration
from game_classifier.scoring.metrics import confused_pairs, mostly_taken_for
from game_classifier.scoring.predicted_lists import PredictedLists
from game_classifier.scoring.results import Results

PAIRS_SHOWN = 10  # in the terminal
NOTHING = "–"  # a share of no frames


def confused_pairs_table(results: Results) -> str:
    """The pairs of classes most often confused; "" when there are none."""
    pairs = confused_pairs(results.scores.confusion)
    shown = pairs[:PAIRS_SHOWN]
    if not len(shown):
        return ""
    names = results.class_names
    rows = [
        [names[pair["true"]], names[pair["predicted"]], str(pair["count"]), percent(pair["share"])] for pair in shown
    ]
    title = f"The {len(shown)} most confused of {len(pairs)} pairs" if len(shown) < len(pairs) else "All confused pairs"
    return table(title, ["Class", "Taken For", "Frames", "Percent"], rows, first_number=2)


def calibration_line(calibration: Calibration, top1: float) -> str:
    """One line for the terminal: the calibration error in percentage points, and its two parts."""
    return (
        f"expected calibration error {percent(calibration.error())} ({BINS} bins): mean probability"
        f" {percent(calibration.mean_confidence())}, right {percent(top1)}"
    )


def class_rows(results: Results) -> list[tuple[str, ...]]:
    """(class, support, tp, fp, fn, precision, recall, f1, mostly taken for, times), the lowest F1 first.

    If some network gives `known`, wrong and refused frames follow. Classes without labelled frames come last, with
    NOTHING for their shares.
    """
    per_class = results.scores.per_class(results.class_names)
    other, times = mostly_taken_for(results.scores.confusion)
    refusing = results.refusing
    after_refusing = (refusing.wrong_of_classes(), refusing.refused_of_classes()) if refusing.rows else ()
    rows = []
    for index in np.lexsort((per_class["f1"], per_class["support"] == 0)):
        row = per_class[index]
        counts = (str(row[name]) for name in ("support", "tp", "fp", "fn"))
        shares = (percent(row[name]) if row["support"] else NOTHING for name in ("precision", "recall", "f1"))
        taken_for = (results.class_names[other[index]], str(times[index])) if times[index] else ("", "")
        decided = (str(each[index]) for each in after_refusing)
        rows.append((results.class_names[index], *counts, *shares, *taken_for, *decided))
    return rows


def predicted_rows(results: Results) -> list[tuple[str, str, str]]:
    """(class, frames, percent) of how often each class was predicted, the most frequent first."""
    total = max(1, results.predicted.sum())
    order = np.argsort(-results.predicted, kind="stable")
    return [
        (results.class_names[index], str(results.predicted[index]), percent(results.predicted[index] / total))
        for index in order
    ]


def reliability_rows(calibration: Calibration) -> list[tuple[str, ...]]:
    """(probabilities, frames, mean probability, right) of each bin that holds frames."""
    return [
        (
            f"{percent(row['low'])} to {percent(row['high'])}",
            str(row["count"]),
            percent(row["confidence"]),
            percent(row["accuracy"]),
        )
        for row in calibration.table()
        if row["count"]
    ]


def summary_rows(results: Results) -> list[tuple[str, str]]:
    """(name, value): how many frames there are, and the scores over those that are labelled and were read."""
    rows = [
        ("Lists", str(len(results.manifests))),
        ("Frames", str(results.rows)),
        ("Read", str(results.rows - results.not_read.total())),
        ("Labelled", str(results.rows - results.unlabelled)),
    ]
    if results.unknown:
        rows.append(("Labelled as unknown", str(results.unknown)))
    if results.scored:
        scores = results.scores.summary()
        shares = (
            ("Top-1 accuracy", scores.top1),
            ("Top-5 accuracy", scores.top5),
            ("Mean precision", scores.mean_precision),
            ("Mean recall", scores.mean_recall),
            ("Mean F1 score", scores.mean_f1),
            ("Mean probability", results.calibration.mean_confidence()),
            ("Expected calibration error", results.calibration.error()),
        )
        rows.append(("Labelled and read", str(results.scored)))
        rows += [(name, f"{percent(share)} %") for name, share in shares]
    return rows


def model_rows(results: PredictedLists) -> list[tuple[str, str, str, str, str]]:
    """(model, start of its SHA-256, precision, runtime, lists) for each model that predicted some of the lists."""
    lists: dict[tuple[str, ...], int] = {}
    for manifest in results.manifests:
        made_with = tuple(str(manifest.get(key) or "") for key in ("model", "model_sha256", "precision", "runtime"))
        lists[made_with] = lists.get(made_with, 0) + 1
    return [
        (model, sha256[:12], precision, runtime, str(count))
        for (model, sha256, precision, runtime), count in lists.items()
    ]

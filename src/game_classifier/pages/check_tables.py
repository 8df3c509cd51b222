"""The check of a data set for the terminal: findings, lists, leakage."""

import numpy as np

from game_classifier.checks.findings import Report
from game_classifier.console import percent, table

WORST_CLASSES_SHOWN = 10


def findings_table(report: Report) -> str:
    """How many findings there are of each kind."""
    return table("Findings", ["Kind", "Found"], [[kind, str(count)] for kind, count in report.counts.items()])


def lists_table(report: Report) -> str:
    """Each list's frames: how many can be read, are flat, and look like an earlier one of the list."""
    header = ["List", "Frames", "Readable", "Flat", "Like An Earlier One"]
    return table("Lists", header, [[name, *map(str, numbers)] for name, *numbers in list_rows(report)])


def leakage_table(report: Report) -> str:
    """The share of each later list's frames with a twin in training: over all, and the worst classes."""
    rows = leakage_rows(report, WORST_CLASSES_SHOWN)
    header = ["List", "Class", "Frames", "With A Twin", "Percent"]
    return table(
        "Twins in training", header, [[*row[:2], str(row[2]), str(row[3]), percent(row[4])] for row in rows], 2
    )


def list_rows(report: Report) -> list[tuple[str, int, int, int, int]]:
    """(list, frames, readable, flat, like an earlier one) of each list."""
    frames = report.frames
    rows = []
    for number, each in enumerate(frames.lists):
        own = frames.list_of == number
        readable, flat = (int(some[own].sum()) for some in (frames.readable, frames.rows["flat"]))
        rows.append((str(each.source), len(each), readable, flat, report.repeats[number]))
    return rows


def leakage_rows(report: Report, worst: int | None = None) -> list[tuple[str, str, int, int, float]]:
    """(list, class, frames, with a twin, share): `all`, then the `worst` classes that have any, worst first."""
    rows = []
    for each in report.leakage:
        shares = each.with_twin / np.maximum(1, each.frames)
        order = [index for index in np.argsort(-shares, kind="stable") if each.with_twin[index]][:worst]
        rows.append((each.name, "all", int(each.frames.sum()), int(each.with_twin.sum()), each.share))
        rows += [
            (each.name, report.class_names[index], int(each.frames[index]), int(each.with_twin[index]), shares[index])
            for index in order
        ]
    return rows

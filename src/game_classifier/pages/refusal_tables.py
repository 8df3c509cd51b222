"""Refused frames as rows: for the terminal, and for the page of results."""

import math

import numpy as np

from game_classifier.console import percent, table
from game_classifier.scoring.refusal import RefusalSummary, Refusing

NOTHING = "–"  # a share of no frames
CURVE_POINTS = 200  # of the picture: more cannot be seen
SIDE = 300  # of the picture, in its own units

TITLES = {
    "refused": "Known refused",
    "coverage": "Known answered",
    "error": "Wrong of the answered",
    "caught": "Unknown refused",
    "auroc": "AUROC, known against unknown",
    "fpr95": "Known refused where 95% of the unknown are (FPR95)",
}


def refusal_rows(refusing: Refusing) -> list[tuple[str, str]]:
    """(name, value) of each figure of RefusalSummary."""
    summary = refusing.summary()
    return [(title, _shown(getattr(summary, name))) for name, title in TITLES.items()]


def refusal_table(refusing: Refusing, rates: str) -> str:
    """The figures in one row, for the terminal; `rates` are those that frames were refused at, in words."""
    summary: RefusalSummary = refusing.summary()
    columns = {"refused": "Known Refused", "error": "Wrong of Answered", "caught": "Unknown Refused"}
    columns |= {"auroc": "AUROC", "fpr95": "FPR95"}
    cells = [_shown(getattr(summary, name)) for name in columns]
    title = f"Refused at {rates}: {refusing.refused} of {refusing.rows} frames"
    return table(title, list(columns.values()), [cells], first_number=0)


def roc_points(refusing: Refusing) -> tuple[list[str], tuple[float, float]] | None:
    """("x,y" of each point of the curve, the point of the chosen rate) in a square of SIDE; None without a curve."""
    lost, caught = refusing.roc()
    if not len(lost):
        return None
    shown = np.unique(np.linspace(0, len(lost) - 1, CURVE_POINTS).round().astype(int))
    points = [f"{SIDE * lost[place]:.1f},{SIDE * (1 - caught[place]):.1f}" for place in shown]
    summary = refusing.summary()
    return points, (round(SIDE * summary.refused, 1), round(SIDE * (1 - summary.caught), 1))


def _shown(share: float) -> str:
    return NOTHING if math.isnan(share) else percent(share)

"""Pictures of a detector's results: precision over recall, and frames with their boxes."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from game_classifier.pages.plots import DPI, save_figure

COLUMNS = 3
NAMED = 10  # classes in a legend; more would cover the curves
# Bright ones that differ; a frame shows few classes.
COLOURS = ("#ff4d4d", "#33dd55", "#4da6ff", "#ffd633", "#ff66ff", "#33e0e0", "#ff9933", "#b380ff")
TRUE_COLOUR, FOUND_COLOUR = "#00c000", "#ff3020"


@dataclass(frozen=True)
class ShownFrame:
    """A frame to draw."""

    title: str
    pixels: np.ndarray  # uint8 [H, W, 3]
    boxes: Sequence[tuple[str, float, Sequence[float]]]  # name, score (NaN: a true box), x1 y1 x2 y2 in pixels


def plot_precision_recall(path: Path, precision: np.ndarray, class_names: Sequence[str]) -> None:
    """Draw float [C, recalls], precision over the recalls 0 to 1, and the mean; a class of NaN has no boxes."""
    figure = Figure(figsize=(7, 5), layout="constrained")
    axes = figure.subplots()
    known = np.flatnonzero(np.isfinite(precision).any(axis=1))
    recalls = np.linspace(0, 1, precision.shape[1])
    for label in known:
        name = class_names[label] if len(known) <= NAMED else None
        axes.plot(recalls, precision[label], linewidth=0.8, alpha=0.7, label=name)
    if len(known):
        axes.plot(recalls, precision[known].mean(axis=0), "k", linewidth=2, label=f"mean of {len(known)} classes")
    axes.set(xlabel="recall", ylabel="precision", xlim=(0, 1), ylim=(0, 1.02), title="At an IoU of 0.5")
    axes.grid(alpha=0.3)
    axes.legend(loc="lower left", fontsize=7)
    save_figure(figure, path)


def draw_boxes(path: Path, frame: ShownFrame, class_names: Sequence[str]) -> None:
    """Draw a frame at its full size, each class in a colour of its own."""
    height, width = frame.pixels.shape[:2]
    figure = Figure(figsize=(width / DPI, height / DPI))
    axes = figure.add_axes((0, 0, 1, 1))
    axes.axis("off")
    axes.imshow(frame.pixels, aspect="auto", interpolation="nearest")
    line, letter = max(1, max(width, height) / 400), max(8, max(width, height) / 60)  # pixels
    for name, score, (x1, y1, x2, y2) in frame.boxes:
        colour = COLOURS[class_names.index(name) % len(COLOURS)]
        axes.add_patch(Rectangle((x1, y1), x2 - x1, y2 - y1, fill=False, edgecolor=colour, linewidth=72 / DPI * line))
        label = {"boxstyle": "square,pad=0.15", "facecolor": colour, "edgecolor": "none"}
        inside = y1 < 1.5 * letter  # above the box there is no room
        axes.text(
            x1,
            y1,
            f"{name} {score:.2f}",
            fontsize=72 / DPI * letter,
            color="black",
            va="top" if inside else "bottom",
            bbox=label,
            clip_on=True,
        )
    save_figure(figure, path)


def draw_sheet(path: Path, frames: Sequence[ShownFrame]) -> None:
    """Draw frames side by side, true boxes in green and found ones in red; without a frame, remove an earlier sheet."""
    if not frames:
        path.unlink(missing_ok=True)
        return
    rows = math.ceil(len(frames) / COLUMNS)
    figure = Figure(figsize=(5 * COLUMNS, 4.5 * rows), layout="constrained")
    figure.suptitle("true boxes in green, found boxes in red")
    grid = figure.subplots(rows, COLUMNS, squeeze=False)
    for axes in grid.flat:
        axes.axis("off")
    for axes, frame in zip(grid.flat, frames, strict=False):
        axes.imshow(frame.pixels)
        axes.set_title(frame.title, fontsize=8)
        for name, score, (x1, y1, x2, y2) in frame.boxes:
            colour = TRUE_COLOUR if math.isnan(score) else FOUND_COLOUR
            axes.add_patch(Rectangle((x1, y1), x2 - x1, y2 - y1, fill=False, edgecolor=colour, linewidth=1))
            if not math.isnan(score):
                axes.text(x1, y1, f"{name} {score:.2f}", fontsize=5, color=colour, va="bottom")
    save_figure(figure, path)

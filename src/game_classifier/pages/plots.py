"""Pictures of a training and of its result."""

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib import font_manager
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.ticker import MaxNLocator

from game_classifier.storage import replacing

DPI = 120
NAME_SHOWN = 40  # characters of a class name; longer ones would leave no room for the squares
EAST_ASIAN_FONTS = ("Noto Sans CJK SC", "Noto Sans CJK JP", "WenQuanYi Micro Hei", "Microsoft YaHei", "PingFang SC")


def plot_curves(path: Path, epochs: Sequence[Mapping[str, float]], curves: Mapping[str, str]) -> None:
    """Draw the loss, and the validation scores that `curves` names, over the epochs of metrics.jsonl."""
    numbers = [epoch["epoch"] for epoch in epochs]
    figure = Figure(figsize=(10, 4), layout="constrained")
    loss, accuracy = figure.subplots(1, 2)
    loss.plot(numbers, [epoch["train_loss"] for epoch in epochs], marker="o")
    loss.set(title="Training loss", xlabel="epoch")
    for name, label in curves.items():
        accuracy.plot(numbers, [100 * epoch[name] for epoch in epochs], marker="o", label=label)
    accuracy.set(title="Validation", xlabel="epoch", ylabel="%")
    accuracy.legend(loc="lower right")
    for axes in (loss, accuracy):
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.grid(alpha=0.3)
    save_figure(figure, path)


def plot_confusion(path: Path, confusion: np.ndarray, class_names: Sequence[str], counted: str = "frames") -> None:
    """Draw counts int [C, C], rows the true classes, so that single errors among 125 classes can be seen.

    Hits are green and errors red, both on a logarithmic scale; an error's count is written into its square.
    """
    count = len(class_names)
    names = [name if len(name) <= NAME_SHOWN else f"{name[: NAME_SHOWN - 1]}…" for name in class_names]
    side = max(5.0, 0.17 * count + 2.5)  # inches: a name a line, legible at any number of classes
    figure = Figure(figsize=(side, side), layout="constrained")
    axes = figure.subplots()
    scale = LogNorm(1, max(2, confusion.max()))
    diagonal = np.eye(count, dtype=bool)
    for colours, shown in (("Greens", diagonal), ("Reds", ~diagonal)):
        axes.imshow(np.ma.masked_where(~shown | (confusion == 0), confusion), cmap=colours, norm=scale)
    for row, column in zip(*np.nonzero(confusion * ~diagonal), strict=True):
        colour = "white" if scale(confusion[row, column]) > 0.6 else "black"
        axes.text(column, row, confusion[row, column], ha="center", va="center", fontsize=5, color=colour)
    axes.set_xticks(range(count), names, rotation=90, fontsize=6)
    axes.set_yticks(range(count), names, fontsize=6)
    axes.set_xticks(np.arange(count + 1) - 0.5, minor=True)
    axes.set_yticks(np.arange(count + 1) - 0.5, minor=True)
    axes.grid(which="minor", color="0.92", linewidth=0.4)
    axes.tick_params(which="minor", length=0)
    right = confusion.trace()
    axes.set(xlabel="predicted", ylabel="true", title=f"{right} of {confusion.sum()} {counted} right")
    save_figure(figure, path)


def save_figure(figure: Figure, path: Path) -> None:
    """Write `figure` in one step, with a font for class names in Chinese, Japanese or Korean where there is one."""
    installed = set(font_manager.get_font_names())
    fonts = ["DejaVu Sans", *(name for name in EAST_ASIAN_FONTS if name in installed)]
    for text in figure.findobj(Text):
        text.set_fontfamily(fonts)
        text.set_parse_math(False)  # a "$" in a class name begins no formula
    with replacing(path) as temporary, warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing")  # drawn as boxes; the tables show the names
        figure.savefig(temporary, format="png", dpi=DPI)

"""A picture of what folding does: one block as a graph, and the operators of the whole network counted."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from game_classifier.pages.plots import save_figure

INPUT, OPERATOR = "#eeeeee", "#dbe9f6"
FORMS = ("in training", "deployed")


class Node(Protocol):
    """The input of a graph, or an operator in it."""

    words: str
    sources: tuple[int, ...]  # places of nodes before it


def plot_folding(
    path: Path,
    title: str,
    block: tuple[Sequence[Node], Sequence[Node]],
    operators: tuple[Counter[str], Counter[str]],
) -> None:
    """Draw one block before and after folding, and bars of the operators of which folding changes the number."""
    figure = Figure(figsize=(12, 4.8), layout="constrained")
    figure.suptitle(title)
    *forms, bars = figure.subplots(1, 3, width_ratios=[1.3, 0.7, 1.3])
    for axes, form, graph in zip(forms, FORMS, block, strict=True):
        axes.set_title(f"one block, {form}")
        _draw(axes, graph, max(map(_depth, block)))
    _count(bars, operators)
    save_figure(figure, path)


def _depth(graph: Sequence[Node]) -> int:
    return max(_levels(graph))


def _levels(graph: Sequence[Node]) -> list[int]:
    """How many operators lie before each node at most."""
    levels: list[int] = []
    for node in graph:
        levels.append(max((levels[source] + 1 for source in node.sources), default=0))
    return levels


def _columns(graph: Sequence[Node]) -> list[float]:
    """A place from left to right for each node: below its source, beside its siblings, or between its sources."""
    takers = [[place for place, node in enumerate(graph) if source in node.sources] for source in range(len(graph))]
    columns = [0.0]
    for place, node in enumerate(graph[1:], 1):
        if len(node.sources) == 1:
            siblings = takers[node.sources[0]]
            beside = siblings.index(place) - (len(siblings) - 1) / 2
            columns.append(columns[node.sources[0]] + beside)
        else:
            columns.append(float(np.mean([columns[source] for source in node.sources])))
    return columns


def _draw(axes: Axes, graph: Sequence[Node], depth: int) -> None:
    columns, levels = _columns(graph), _levels(graph)
    for node, column, level in zip(graph, columns, levels, strict=True):
        for source in node.sources:
            arrow = {"arrowstyle": "-|>", "color": "0.5", "shrinkA": 9, "shrinkB": 9}
            axes.annotate("", (column, -level), (columns[source], -levels[source]), arrowprops=arrow)
        box = {"boxstyle": "round", "fc": OPERATOR if level else INPUT, "ec": "0.5"}
        axes.text(column, -level, node.words, ha="center", va="center", fontsize=8, bbox=box)
    axes.set(xlim=(min(columns) - 0.7, max(columns) + 0.7), ylim=(-depth - 0.5, 0.5))
    axes.axis("off")


def _count(axes: Axes, operators: tuple[Counter[str], Counter[str]]) -> None:
    before, after = operators
    changed = sorted((kind for kind in before | after if before[kind] != after[kind]), key=lambda kind: before[kind])
    kinds = [*changed, f"all {len(before | after)} kinds"]
    for number, (form, counts) in enumerate(zip(FORMS, operators, strict=True)):
        values = [*(counts[kind] for kind in changed), counts.total()]
        bars = axes.barh(np.arange(len(kinds)) + 0.2 - 0.4 * number, values, 0.4, label=form)
        axes.bar_label(bars, padding=2, fontsize=8)
    axes.set_yticks(range(len(kinds)), kinds)
    axes.set_title("operators of the network")
    axes.margins(x=0.12)
    axes.legend(loc="lower right")

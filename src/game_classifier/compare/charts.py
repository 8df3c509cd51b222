"""A comparison as pictures."""

from collections.abc import Sequence
from pathlib import Path

from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import LogLocator

from game_classifier.compare.end_to_end import Way
from game_classifier.compare.forms import Timing
from game_classifier.compare.network_alone import Cell
from game_classifier.pages.plots import save_figure

MARKERS = "osD^vPX*"
PANELS_A_ROW = 3


def plot_times(path: Path, cells: Sequence[Cell], ways: Sequence[Way]) -> None:
    """Bars of milliseconds a frame: alone one at a time, alone in batches, and from files; a colour a network."""
    panels = {
        "network alone, one frame at a time": [(each.runtime, each.network, each.one) for each in cells],
        "network alone, in batches": [(each.runtime, each.network, each.batches) for each in cells],
        "from files to classes": [(each.way.replace(": ", ":\n"), each.network, each.times) for each in ways],
    }
    panels = {title: bars for title, bars in panels.items() if bars}
    networks = list(dict.fromkeys(each.network for each in [*cells, *ways]))
    labels = {title: list(dict.fromkeys(label for label, _, _ in bars)) for title, bars in panels.items()}
    heights = [len(each) * len(networks) + 2 for each in labels.values()]
    figure = Figure(figsize=(9, 0.22 * sum(heights) + 1), layout="constrained")
    for axes, (title, bars) in zip(
        figure.subplots(len(panels), squeeze=False, height_ratios=heights)[:, 0], panels.items(), strict=True
    ):
        for label, network, times in bars:
            number = networks.index(network)
            # The first label on top, and in each group the first network.
            height = -labels[title].index(label) - 0.8 * (number + 0.5) / len(networks) + 0.4
            bar = axes.barh(height, times.ms(), 0.8 / len(networks), color=f"C{number}")
            axes.bar_label(bar, fmt="%.2f", padding=2, fontsize=8)
        axes.set_yticks([-position for position in range(len(labels[title]))], labels[title], fontsize=8)
        axes.set(title=title, xlabel="ms a frame")
        axes.margins(x=0.1)
    colours = [Patch(color=f"C{number}") for number in range(len(networks))]
    figure.legend(colours, networks, loc="outside upper center", ncols=min(4, len(networks)))
    save_figure(figure, path)


def plot_accuracy(path: Path, cells: Sequence[Cell]) -> None:
    """Top-1 over milliseconds a frame in batches: a colour a network, a marker a runtime."""
    figure = Figure(figsize=(9, 6), layout="constrained")
    axes = figure.subplots()
    runtimes = list(dict.fromkeys(each.runtime for each in cells))
    for number, network in enumerate(dict.fromkeys(each.network for each in cells)):
        own = sorted((each for each in cells if each.network == network), key=lambda each: each.batches.ms())
        axes.plot([each.batches.ms() for each in own], [100 * each.top1 for each in own], color=f"C{number}", alpha=0.4)
        for each in own:
            marker = MARKERS[runtimes.index(each.runtime) % len(MARKERS)]
            axes.plot(each.batches.ms(), 100 * each.top1, marker, color=f"C{number}")
        slowest = own[-1].batches.ms(), 100 * own[-1].top1
        axes.annotate(network, slowest, xytext=(6, 4), textcoords="offset points", color=f"C{number}")
    for number, runtime in enumerate(runtimes):
        axes.plot([], [], MARKERS[number % len(MARKERS)], color="0.4", label=runtime)
    axes.set(xlabel="ms a frame, in batches", ylabel="top-1, %", xscale="log")
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter("{x:g}")
    axes.xaxis.set_minor_formatter("")
    axes.margins(x=0.25)  # for the names
    axes.grid(alpha=0.3)
    figure.legend(loc="outside right upper")
    save_figure(figure, path)


def plot_forms(path: Path, timings: Sequence[Timing]) -> None:
    """Milliseconds a frame over the number of frames, a panel a network; the bars reach over the rounds."""
    networks = list(dict.fromkeys(each.form.network for each in timings))
    columns = min(len(networks), PANELS_A_ROW)
    rows = -(-len(networks) // columns)
    figure = Figure(figsize=(5.5 * columns, 4.5 * rows), layout="constrained")
    panels = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes in panels[len(networks) :]:
        axes.remove()
    for axes, network in zip(panels, networks, strict=False):
        own = [each for each in timings if each.form.network == network]
        for number, form in enumerate(dict.fromkeys(each.form.form for each in own)):
            points = [each for each in own if each.form.form == form]
            means = [each.times.ms() for each in points]
            rounds = [[1000 * part.mean() for part in each.times.rounds] for each in points]
            below = [mean - min(each) for mean, each in zip(means, rounds, strict=True)]
            above = [max(each) - mean for mean, each in zip(means, rounds, strict=True)]
            places = [position + 0.06 * number for position in range(len(points))]  # beside each other, to be seen
            axes.errorbar(places, means, [below, above], marker="o", capsize=4, label=form)
        axes.set_xticks(range(len(points)), [f"{each.frames:,}" for each in points])
        axes.set(title=network, xlabel="frames", ylabel="ms a frame")
        axes.set_ylim(bottom=0)
        axes.grid(alpha=0.3)
        axes.legend(loc="lower right")
    save_figure(figure, path)

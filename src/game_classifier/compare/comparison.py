"""A comparison as tables, and as plain figures."""

import math
from collections.abc import Sequence

from game_classifier.compare.contestants import Contestant
from game_classifier.compare.end_to_end import Way
from game_classifier.compare.network_alone import Cell
from game_classifier.compare.table import Table
from game_classifier.compare.turns import Times, saving, saving_range
from game_classifier.console import percent
from game_classifier.models.cost import cost
from game_classifier.models.fold import fold


def networks_table(contestants: Sequence[Contestant]) -> Table:
    """Each network's accuracy, as its training measured it, and its size and cost in both forms."""
    rows = []
    for each in contestants:
        size = each.checkpoint.preprocessing
        trained = each.checkpoint.build()
        forms = [cost(form, size.height, size.width) for form in (trained, fold(trained))]
        rows.append(
            [
                each.name,
                f"{size.height}x{size.width}",
                *(_share(each.checkpoint.metrics.get(name)) for name in ("top1", "top5")),
                *(f"{form.parameters:,}" for form in forms),
                *(f"{form.macs / 1e6:,.1f} M" for form in forms),
            ]
        )
    header = ["Network", "Input", "Top-1", "Top-5", "Parameters", "Deployed", "MACs", "Deployed"]
    return Table("Networks, with the accuracy that their training measured", header, rows)


def alone_table(cells: Sequence[Cell], contestants: Sequence[Contestant], baseline: str, title: str) -> Table:
    """A row for each network and runtime; savings are shares of the baseline's time in the same runtime."""
    of_network = {each.name: each for each in contestants}
    rows = []
    for cell in cells:
        beside = _of_baseline(cells, baseline, cell.runtime)
        megabytes = of_network[cell.network].megabytes(cell.runtime)
        rows.append(
            [
                cell.runtime,
                cell.network,
                "" if megabytes is None else f"{megabytes:.1f}",
                _share(cell.top1),
                f"{cell.one.ms():.2f}",
                f"{cell.one.ms_percentile(50):.2f}",
                f"{cell.one.ms_percentile(95):.2f}",
                f"{cell.one.total():.1f}",
                _saving(cell.one, beside and beside.one),
                f"{cell.batches.ms():.2f}",
                f"{cell.batches.total():.1f}",
                _saving(cell.batches, beside and beside.batches),
            ]
        )
    header = ["Runtime", "Network", "MB", "Top-1", "One: ms", "p50", "p95", "Total s", "Saved %"]
    return Table(title, [*header, "Batches: ms", "Total s", "Saved %"], rows, names=2)


def ways_table(ways: Sequence[Way], baseline: str, title: str) -> Table:
    """A row for each network and way; savings are shares of the baseline's time in the first way, file by file."""
    beside = _first_way(ways, baseline)
    rows = [
        [
            each.way,
            each.network,
            f"{each.times.ms():.2f}",
            f"{each.times.total():.1f}",
            _saving(each.times, beside.times),
        ]
        for each in ways
    ]
    return Table(title, ["Way", "Network", "ms", "Total s", "Saved %"], rows, names=2)


def figures(cells: Sequence[Cell], ways: Sequence[Way], baseline: str) -> list[dict[str, object]]:
    """A row for each network, runtime or way, and mode; shares in 0..1; `saving_min` and `_max` are single rounds."""
    rows = []
    for cell in cells:
        beside = _of_baseline(cells, baseline, cell.runtime)
        named = {"network": cell.network, "runs_in": cell.runtime, "top1": cell.top1}
        for mode, times, other in (
            ("one at a time", cell.one, beside and beside.one),
            ("batches", cell.batches, beside and beside.batches),
        ):
            rows.append({**named, "mode": mode, **_figures(times, other)})
    for way in ways:
        named = {"network": way.network, "runs_in": way.way, "top1": None, "mode": "end to end"}
        rows.append({**named, **_figures(way.times, _first_way(ways, baseline).times)})
    return rows


def _figures(times: Times, baseline: Times | None) -> dict[str, object]:
    least, most = (None, None) if baseline is None else saving_range(times, baseline)
    percentile = times.ms_percentile if times.a_call_is_a_frame() else lambda share: None
    return {
        "frames": times.frames,
        "ms_mean": times.ms(),
        "ms_p50": percentile(50),
        "ms_p95": percentile(95),
        "total_s": times.total(),
        "saving": None if baseline is None else saving(times, baseline),
        "saving_min": least,
        "saving_max": most,
    }


def _first_way(ways: Sequence[Way], baseline: str) -> Way:
    """The baseline as it ran before this project."""
    return next(each for each in ways if each.network == baseline)


def _of_baseline(cells: Sequence[Cell], baseline: str, runtime: str) -> Cell | None:
    return next((each for each in cells if (each.network, each.runtime) == (baseline, runtime)), None)


def _saving(times: Times, baseline: Times | None) -> str:
    """In percent, with the least and the largest of the rounds."""
    if baseline is None or times is baseline:
        return ""
    least, most = saving_range(times, baseline)
    return f"{100 * saving(times, baseline):.1f} ({100 * least:.0f} to {100 * most:.0f})"


def _share(value: float | None) -> str:
    return "" if value is None or math.isnan(value) else percent(value)

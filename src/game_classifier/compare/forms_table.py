"""The timings of forms as figures and as a table."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from game_classifier.compare.forms import Timing
from game_classifier.compare.table import Table

BYTES = 4  # of a weight in fp32


def forms_figures(timings: Sequence[Timing], reckoned: Sequence[int] = ()) -> list[dict[str, object]]:
    """A row for each network, form and number of frames.

    `relative` is the time over that of the network's last form. `reckoned_N_s` is the seconds that N frames would take
    at the row's ms a frame: nobody measured it.
    """
    rows = []
    for each in timings:
        last = _last(timings, each)
        form, change = each.form, each.form.difference
        seconds = [float(part.sum()) for part in each.times.rounds]
        ratios = [
            float(own.sum() / other.sum()) for own, other in zip(each.times.rounds, last.times.rounds, strict=True)
        ]
        rows.append(
            {
                "network": form.network,
                "form": form.form,
                "operators": form.operators,
                "parameters": form.parameters,
                "megabytes": form.parameters * BYTES / 1e6,
                "macs": form.macs,
                "difference": change and change.share,
                "box_difference": change and change.pixels,
                "frames": each.frames,
                "total_s": float(np.mean(seconds)),
                "total_s_min": min(seconds),
                "total_s_max": max(seconds),
                "ms": each.times.ms(),
                "relative": each.times.total() / last.times.total(),
                "relative_min": min(ratios),
                "relative_max": max(ratios),
                **{f"reckoned_{number}_s": each.times.ms() * number / 1000 for number in reckoned},
            }
        )
    return rows


def _last(timings: Sequence[Timing], timing: Timing) -> Timing:
    """The timing that `timing` is compared with."""
    own = [each for each in timings if (each.form.network, each.frames) == (timing.form.network, timing.frames)]
    return own[-1]


def forms_table(figures: Sequence[Mapping[str, Any]], title: str, reckoned: Sequence[int] = ()) -> Table:
    """The rows of `forms_figures` for reading; ranges are those of the rounds."""
    rows = [
        [
            row["network"],
            row["form"],
            str(row["operators"]),
            f"{row['parameters']:,}",
            f"{row['megabytes']:.1f}",
            f"{row['macs'] / 1e6:,.1f} M",
            _difference(row["difference"], row["box_difference"]),
            f"{row['frames']:,}",
            f"{row['total_s']:.2f} ({row['total_s_min']:.2f} to {row['total_s_max']:.2f})",
            f"{row['ms']:.2f}",
            f"{row['relative']:.2f} ({row['relative_min']:.2f} to {row['relative_max']:.2f})",
            *(f"{row[f'reckoned_{number}_s'] / 60:.1f} min" for number in reckoned),
        ]
        for row in figures
    ]
    header = ["Network", "Form", "Operators", "Parameters", "MB", "MACs", "Difference", "Frames", "Seconds", "ms"]
    header += ["Times the last form", *(f"{number:,} frames, reckoned" for number in reckoned)]
    return Table(title, header, rows, names=2)


def _difference(share: float | None, pixels: float | None) -> str:
    if share is None:
        return ""
    shown = f"{share:.0e}" if share else "0"
    return shown if pixels is None else f"{shown}, boxes {pixels:.0e} px"

"""Terminal output of all commands: progress bars, tables, shares."""

import os
import sys
from collections.abc import Iterable
from typing import Any

from terminaltables import AsciiTable
from tqdm import tqdm

SECONDS_BETWEEN_LINES_IN_A_LOG = 15


def progress(iterable: Iterable[Any] | None = None, **options: Any) -> tqdm:
    """A tqdm bar on standard error; if that is not a terminal, one line every SECONDS_BETWEEN_LINES_IN_A_LOG.

    Under torchrun, only the first process shows a bar.
    """
    interval = 0.1 if sys.stderr.isatty() else SECONDS_BETWEEN_LINES_IN_A_LOG
    quiet = os.environ.get("RANK", "0") != "0"
    return tqdm(iterable, dynamic_ncols=True, mininterval=interval, maxinterval=interval, disable=quiet, **options)


def percent(share: float) -> str:
    """A share of 0..1 in percent with two decimals, without the sign."""
    return f"{100 * share:.2f}"


def table(title: str, header: list[str], rows: list[list[str]], first_number: int = 1) -> str:
    """One table as text; columns from `first_number` on are aligned on the right.

    A title wider than the table is not shown.
    """
    drawn = AsciiTable([header, *rows], f" {title} ")
    for column in range(first_number, len(header)):
        drawn.justify_columns[column] = "right"
    return drawn.table


def markdown(header: list[str], rows: list[list[str]]) -> str:
    """One table as Markdown."""
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (header, ["---"] * len(header), *rows))

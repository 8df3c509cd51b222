"""One table for the terminal and for markdown, and figures as CSV."""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from game_classifier.console import table


@dataclass(frozen=True)
class Table:
    """Title, header and rows of texts; the first `names` columns are words, the others numbers."""

    title: str
    header: list[str]
    rows: list[list[str]]
    names: int = 1

    def text(self) -> str:
        """For the terminal."""
        return table(self.title, self.header, self.rows, first_number=self.names)

    def markdown(self) -> str:
        """With the title above."""
        rule = ["---"] * self.names + ["---:"] * (len(self.header) - self.names)
        lines = [self.header, rule, *self.rows]
        return f"### {self.title}\n\n" + "".join(f"| {' | '.join(line)} |\n" for line in lines)


def csv_text(rows: Sequence[Mapping[str, object]]) -> str:
    """A line of names, then a line for each of `rows`, which have the same keys; None is an empty field."""
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, rows[0], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()

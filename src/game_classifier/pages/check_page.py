"""The check of a data set as files: findings.csv, and report.html with pictures of the pairs."""

import csv
import io
from dataclasses import astuple, fields
from functools import partial
from pathlib import Path

from game_classifier.checks.findings import PAIRS, Finding, Report
from game_classifier.frames.files import read_file
from game_classifier.pages.check_tables import leakage_rows, list_rows
from game_classifier.pages.page import render, thumbnail
from game_classifier.storage import make_folder, write_text

TEMPLATE = "check_report.html.j2"
PAIRS_SHOWN_OF_A_KIND = 15  # four kinds name pairs: 60 pairs, half a megabyte
ROWS_SHOWN_OF_A_KIND = 200  # all are in findings.csv; a browser need not lay out 100,000


def write_report(report: Report, folder: Path) -> None:
    """Write findings.csv and report.html into `folder`, which is made; InputError if that cannot be."""
    make_folder(folder)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(each.name for each in fields(Finding))
    writer.writerows(map(astuple, report.findings))
    write_text(folder / "findings.csv", text.getvalue())
    write_text(folder / "report.html", render_page(report))


def render_page(report: Report) -> str:
    """One HTML page without outside resources; bytes of file names that are not UTF-8 show as \\udcXX."""
    sections = [
        {
            "kind": kind,
            "count": count,
            "pairs": [_pair(finding) for finding in _of_kind(report, kind, PAIRS_SHOWN_OF_A_KIND) if kind in PAIRS],
            "findings": _of_kind(report, kind, ROWS_SHOWN_OF_A_KIND),
        }
        for kind, count in report.counts.items()
    ]
    return render(TEMPLATE, lists=list_rows(report), leakage=leakage_rows(report), sections=sections)


def _of_kind(report: Report, kind: str, most: int) -> list[Finding]:
    return [finding for finding in report.findings if finding.kind == kind][:most]


def _pair(finding: Finding) -> dict[str, object]:
    pictures = [(path, thumbnail(partial(read_file, path))) for path in (finding.path, finding.other)]
    return {"finding": finding, "pictures": pictures}

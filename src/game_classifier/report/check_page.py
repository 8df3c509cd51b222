"""The check of a data set as files: findings.csv, and report.html with pictures of the pairs."""

import base64
import csv
import io
from dataclasses import astuple, fields
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined
from PIL import Image

from game_classifier.data.frames import FrameError, Preprocessing, read_frame
from game_classifier.report.check_tables import leakage_rows, list_rows
from game_classifier.report.findings import PAIRS, Finding, Report
from game_classifier.storage import make_folder, write_text

TEMPLATE = "check_report.html.j2"
THUMBNAIL = Preprocessing(90, 160, "letterbox")
THUMBNAIL_QUALITY = 80  # of JPEG; some 4 kB each
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
    environment = Environment(
        loader=PackageLoader("game_classifier.report", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    sections = [
        {
            "kind": kind,
            "count": count,
            "pairs": [_pair(finding) for finding in _of_kind(report, kind, PAIRS_SHOWN_OF_A_KIND) if kind in PAIRS],
            "findings": _of_kind(report, kind, ROWS_SHOWN_OF_A_KIND),
        }
        for kind, count in report.counts.items()
    ]
    page = environment.get_template(TEMPLATE).render(
        lists=list_rows(report), leakage=leakage_rows(report), sections=sections
    )
    return page.encode("utf-8", "backslashreplace").decode("utf-8")


def _of_kind(report: Report, kind: str, most: int) -> list[Finding]:
    return [finding for finding in report.findings if finding.kind == kind][:most]


def _pair(finding: Finding) -> dict[str, object]:
    return {"finding": finding, "pictures": [(path, thumbnail(path)) for path in (finding.path, finding.other)]}


def thumbnail(path: str) -> str | None:
    """A small picture of a frame as a data URI; None when the file can no longer be read."""
    try:
        frame = read_frame(path, THUMBNAIL)
    except FrameError:
        return None
    data = io.BytesIO()
    Image.fromarray(frame).save(data, "JPEG", quality=THUMBNAIL_QUALITY)
    return "data:image/jpeg;base64," + base64.b64encode(data.getvalue()).decode("ascii")

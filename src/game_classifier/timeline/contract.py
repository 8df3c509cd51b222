"""A timeline as files: timeline.json, its documented contract, and the same as CSV, WebVTT chapters and npy."""

import hashlib
import json
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict
from html import escape
from pathlib import Path
from typing import Any

import numpy as np

from game_classifier.storage import replacing, write_csv, write_json, write_text
from game_classifier.timeline.clock import Gap
from game_classifier.timeline.hmm import UNKNOWN
from game_classifier.timeline.segments import Segment

FORMAT = "game_classifier.timeline"
FORMAT_VERSION = 1
UNKNOWN_NAME = "unknown"
REGION = ("x1", "y1", "x2", "y2")  # fields of a row: the part of the frame that was classified, zeros for all of it


def row_type(classes: int, regions: bool = False) -> np.dtype:
    """The dtype of a row of timeline.npy; with `regions`, the fields of REGION too."""
    fields = [("time", "f8"), ("pred", "i4"), ("score", "f4"), ("status", "u1"), ("known", "f4")]
    fields += [("state", "i4"), ("confidence", "f4"), ("probs", "f4", (classes,))]
    return np.dtype(fields + ([(name, "i4") for name in REGION] if regions else []))


def to_dict(segments: Sequence[Segment], gaps: Sequence[Gap], names: Sequence[str]) -> dict[str, Any]:
    """The segments and gaps of the contract: times with milliseconds, confidences with four decimals."""
    return {
        "segments": [
            {
                "start": round(each.start, 3),
                "end": round(each.end, 3),
                **name_of(each.state, names),
                "confidence": round(each.confidence, 4),
            }
            for each in segments
        ],
        "gaps": [
            asdict(gap) | {"start": round(gap.start, 3), "end": round(gap.end, 3)}
            for gap in gaps
            if gap.end > gap.start
        ],
    }


def name_of(state: int, names: Sequence[str]) -> dict[str, Any]:
    """Name and index of a state; "unknown" has the index -1, since a class may have that name too."""
    if state == len(names):
        return {"class": UNKNOWN_NAME, "index": UNKNOWN}
    return {"class": names[state], "index": state}


def write_timeline(folder: Path, values: dict[str, Any], rows: np.ndarray, page: str) -> None:
    """Write timeline.npy (`rows`), .csv, .vtt, .html (`page`) and .json (`values`).

    All are written before one of them appears. timeline.json comes last: a timeline without it is not finished, and it
    never describes other files than those beside it.
    """
    parts = sorted([*values["segments"], *values["gaps"]], key=lambda part: part["start"])
    columns = ("start", "end", "class", "index", "confidence", "reason")
    with ExitStack() as files:  # the first appears last
        json_file, npy, csv_file, vtt, html = (
            files.enter_context(replacing(folder / f"timeline.{ending}"))
            for ending in ("json", "npy", "csv", "vtt", "html")
        )
        with npy.open("wb") as file:
            np.lib.format.write_array(file, rows, allow_pickle=False)
        write_csv(csv_file, columns, ([part.get(column, "") for column in columns] for part in parts))
        write_text(vtt, chapters(values["segments"]))
        write_text(html, page)
        write_json(json_file, values | {"array_sha256": sha256(npy)})
        (folder / "timeline.json").unlink(missing_ok=True)


def read_timeline(folder: Path) -> dict[str, Any]:
    """The values of timeline.json."""
    return json.loads((folder / "timeline.json").read_text(encoding="utf-8"))


def sha256(path: Path) -> str:
    """SHA-256 of a file, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def chapters(segments: Sequence[dict[str, Any]]) -> str:
    """The segments as WebVTT chapters, which players show."""
    cues = [
        f"{number}\n{stamp(each['start'])} --> {stamp(each['end'])}\n{escape(each['class'], quote=False)}\n"
        for number, each in enumerate(segments, 1)
    ]
    return "\n".join(["WEBVTT\n", *cues])


def stamp(seconds: float, decimals: bool = True) -> str:
    """00:13:20.000, or 00:13:20 without `decimals`."""
    milliseconds = round(seconds * 1000) if decimals else round(seconds) * 1000
    minutes, rest = divmod(milliseconds, 60_000)
    text = f"{minutes // 60:02d}:{minutes % 60:02d}:{rest // 1000:02d}"
    return f"{text}.{rest % 1000:03d}" if decimals else text


def lines(values: dict[str, Any]) -> list[str]:
    """The timeline as text: `00:00:00-00:13:20 pong 0.98`, and gaps."""
    parts = [*values["segments"], *values["gaps"]]
    shown = []
    for part in sorted(parts, key=lambda part: part["start"]):
        what = f"{part['class']} {part['confidence']:.2f}" if "class" in part else f"({part['reason']})"
        shown.append(f"{stamp(part['start'], False)}-{stamp(part['end'], False)} {what}")
    return shown

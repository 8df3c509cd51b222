"""The timeline of a video as one page: a coloured bar, the segments with pictures, and the classes of each frame."""

import base64
from collections.abc import Mapping
from pathlib import PurePath
from typing import Any

import numpy as np

from game_classifier.console import percent
from game_classifier.pages.page import render

TEMPLATE = "timeline.html.j2"
CLASSES_OF_A_FRAME = 3
BLOCK = 1000  # frames that are sorted at a time
FRAMES_IN_THE_PAGE = 20_000  # half a megabyte; of longer videos, every second or third ... frame
TICKS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 43200, 86400)  # seconds between labels
MOST_TICKS = 10
GOLDEN_ANGLE = 137.508  # degrees of hue between neighbouring colours: no two of a dozen are alike


def render_page(values: dict[str, Any], rows: np.ndarray, pictures: Mapping[int, bytes]) -> str:
    """One HTML page without outside resources, of the same bytes for the same input.

    `values`: those of timeline.json; `rows`: those of timeline.npy; `pictures`: number of a segment -> JPEG.
    """
    duration = max(values["duration"], 0.001)
    games = _games(values["segments"], duration)
    colours = {game["index"]: game["colour"] for game in games}
    parts = [
        {**part, "colour": colours[part["index"]], "picture": _data_uri(pictures.get(number)), "number": number}
        for number, part in enumerate(values["segments"])
    ]
    parts = sorted([*parts, *map(dict, values["gaps"])], key=lambda part: part["start"])
    for part in parts:
        part |= {
            "left": round(100 * part["start"] / duration, 4),
            "width": round(100 * (part["end"] - part["start"]) / duration, 4),
            "from": clock(part["start"]),
            "to": clock(part["end"]),
            "length": clock(part["end"] - part["start"]),
        }
    return render(
        TEMPLATE,
        name=PurePath(values["identity"]["path"]).name or values["identity"]["path"],
        summary=_summary(values, rows),
        games=games,
        parts=parts,
        ticks=_ticks(duration),
        data=_data(values, rows, duration, colours),
        percent=percent,
    )


def clock(seconds: float) -> str:
    """0:13:20; with tenths below a minute."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    return f"{whole // 3600}:{whole // 60 % 60:02d}:{whole % 60:02d}"


def _summary(values: dict[str, Any], rows: np.ndarray) -> list[tuple[str, str]]:
    video = values["video"]
    unread = int((rows["status"] != 0).sum())
    region = []
    if values.get("region"):
        network = PurePath(values["region"]["model"]).name
        region = [("Game's region", f"{network}, found in {int((rows['x2'] > 0).sum())} of them, outlined below")]
    return [
        ("Video", values["identity"]["path"]),
        ("Length", f"{clock(values['duration'])}, {video['width']}x{video['height']}, {video['codec']}"),
        ("Frames looked at", f"{len(rows)}" + (f", {unread} of them damaged" if unread else "")),
        *region,
        ("Network", f"{PurePath(values['model']).name}, {values['runtime']} in {values['precision']}"),
        ("A game is taken to last", clock(values["smoothing"]["game_length"])),
    ]


def _games(segments: list[dict[str, Any]], duration: float) -> list[dict[str, Any]]:
    """Each class with its colour and time, the longest first."""
    games: dict[int, dict[str, Any]] = {}
    for part in segments:
        game = games.setdefault(
            part["index"], {"class": part["class"], "index": part["index"], "time": 0.0, "count": 0}
        )
        game["time"] += part["end"] - part["start"]
        game["count"] += 1
    for number, game in enumerate(games.values()):
        hue = round(210 + GOLDEN_ANGLE * number) % 360
        game["colour"] = "#8c8c8c" if game["index"] < 0 else f"hsl({hue} 62% {(48, 38, 58)[number % 3]}%)"
        game |= {"length": clock(game["time"]), "share": percent(game["time"] / duration)}
    return sorted(games.values(), key=lambda game: (-game["time"], game["index"]))


def _ticks(duration: float) -> list[dict[str, Any]]:
    step = next((step for step in TICKS if duration / step <= MOST_TICKS), TICKS[-1] * (1 + duration // 864_000))
    times = np.arange(0, 0.95 * duration, step)  # a label needs room
    return [{"left": round(100 * time / duration, 4), "text": clock(time) if time else "0"} for time in times]


def _data(values: dict[str, Any], rows: np.ndarray, duration: float, colours: dict[int, str]) -> dict[str, Any]:
    """What the script of the page needs: the likeliest classes of each frame, and colours."""
    rows = rows[:: -(-len(rows) // FRAMES_IN_THE_PAGE) or 1]
    blocks = (rows["probs"][first : first + BLOCK] for first in range(0, len(rows), BLOCK))
    best = np.concatenate([np.argsort(-block, axis=1, kind="stable")[:, :CLASSES_OF_A_FRAME] for block in blocks])
    used = sorted(set(best.ravel().tolist()))
    place = {index: position for position, index in enumerate(used)}
    shares = np.rint(100 * np.take_along_axis(rows["probs"], best, 1)).astype(int)
    frames = [
        [
            round(float(row["time"]), 2),
            [] if row["status"] else [[place[i], s] for i, s in zip(own, share, strict=True)],
        ]
        for row, own, share in zip(rows, best.tolist(), shares.tolist(), strict=True)
    ]
    known = [None if np.isnan(value) else round(float(value), 2) for value in rows["known"]]
    return {
        "duration": duration,
        "interval": values["sampling"]["interval"],
        "names": [values["class_names"][index] for index in used],
        "colours": [colours.get(index, "transparent") for index in used],
        "frames": frames,
        "known": known if any(value is not None for value in known) else [],
    }


def _data_uri(picture: bytes | None) -> str | None:
    return "data:image/jpeg;base64," + base64.b64encode(picture).decode("ascii") if picture else None

"""The results of a detector's predictions as one page: tables to sort and to filter, and frames with their boxes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath

import numpy as np

from game_classifier.console import percent
from game_classifier.frames.decode import Preprocessing, resized_size
from game_classifier.pages.listed_frames import find_frames
from game_classifier.pages.page import render, thumbnail
from game_classifier.pages.results_tables import model_rows
from game_classifier.scoring.predicted_lists import PredictedLists, list_name

TEMPLATE = "box_results_report.html.j2"
PICTURE = (270, 480)  # height and width that a picture fits into
PICTURES_SIZE = 1_800_000  # characters; what no longer fits is shown without a picture


@dataclass(frozen=True)
class PageBox:
    """A box as the page draws it."""

    name: str  # of its class
    score: float | None  # 0..1; None for a true box
    colour: str  # CSS
    corners: tuple[float, float, float, float]  # x1 y1 x2 y2 in pixels of the picture in the file


@dataclass(frozen=True)
class PageFrame:
    """A frame to show."""

    shard: int
    row: int
    height: int  # pixels of the picture in the file
    width: int
    boxes: Sequence[PageBox]  # true boxes first, then those found, the best first
    caption: str


@dataclass(frozen=True)
class ShownFrame:
    """A frame as the template needs it."""

    frame: PageFrame
    where: str  # list:line
    source: str  # the whole path of the list
    path: str  # "" where the list is gone or has changed
    picture: str | None  # data URI


def class_colour(label: int) -> str:
    """A colour for each class; neighbours differ by the golden angle."""
    return f"hsl({label * 137.508 % 360:.0f} 95% 60%)"


def render_box_page(
    results: PredictedLists,
    summary: Sequence[tuple[str, str]],
    classes: tuple[Sequence[str], Sequence[Sequence[str]]],
    gallery: Mapping[str, tuple[str, Sequence[PageFrame]]],
    notes: Sequence[str],
    scored: bool,
) -> str:
    """One HTML page without outside resources, of the same bytes for the same results and frames.

    `classes` are the titles and rows of the class table. `gallery` has a note and frames for each heading.
    """
    groups = [frames for _, frames in gallery.values()]
    shown = _show(results, groups)
    return render(
        TEMPLATE,
        summary=summary,
        models=model_rows(results),
        lists=[list_name(manifest) for manifest in results.manifests],
        notes=notes,
        percent=percent,
        titles=classes[0],
        classes=classes[1],
        scored=scored,
        gallery=[(name, note, frames) for (name, (note, _)), frames in zip(gallery.items(), shown, strict=True)],
        frames_shown=sum(map(len, shown)),
        without_picture=sum(frame.picture is None for frames in shown for frame in frames),
        reasons=sorted(results.not_read.items(), key=lambda item: (-item[1], item[0])),
        not_read=results.not_read.total(),
        unread=results.first_not_read,
    )


def _show(results: PredictedLists, groups: Sequence[Sequence[PageFrame]]) -> list[list[ShownFrame]]:
    """The frames of each group; earlier groups get pictures first, as long as there is room."""
    sizes = {(each.shard, each.row): (each.height, each.width) for group in groups for each in group}
    wanted = np.array(list(sizes), [("shard", "<i4"), ("row", "<i8")])
    files = find_frames(
        results.manifests, wanted, lambda read, shard, row: thumbnail(read, _fitting(*sizes[shard, row]))
    )
    room, shown = PICTURES_SIZE, []
    for group in groups:
        frames = []
        for each in group:
            path, picture = files.get((each.shard, each.row), ("", None))
            picture = picture if len(picture or "") <= room else None
            room -= len(picture or "")
            source = list_name(results.manifests[each.shard])
            frames.append(ShownFrame(each, f"{PurePath(source).name}:{each.row + 1}", source, path, picture))
        shown.append(frames)
    return shown


def _fitting(height: int, width: int) -> Preprocessing:
    """The size of a picture in the page, in its own shape and no larger than it is."""
    box = min(PICTURE[0], height), min(PICTURE[1], width)
    return Preprocessing(*resized_size(height, width, *box, "letterbox"), "squash")

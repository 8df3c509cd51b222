"""The results of predictions as one page: tables to sort and to filter, and the frames worth a look."""

from dataclasses import dataclass
from pathlib import PurePath

import numpy as np

from game_classifier.console import percent
from game_classifier.lists.filelist import UNKNOWN, UNKNOWN_WORD, UNLABELLED
from game_classifier.pages.listed_frames import find_frames
from game_classifier.pages.page import render
from game_classifier.pages.refusal_tables import refusal_rows, roc_points
from game_classifier.pages.results_tables import (
    class_rows,
    model_rows,
    predicted_rows,
    reliability_rows,
    summary_rows,
)
from game_classifier.scoring.metrics import confused_pairs
from game_classifier.scoring.predicted_lists import list_name
from game_classifier.scoring.results import Results

TEMPLATE = "results_report.html.j2"
PAIRS_SHOWN = 20  # with FRAMES_OF_A_PAIR, twice FRAMES_RANKED and twice FRAMES_REFUSED: 200 pictures, some 1.1 MB
PICTURES_SIZE = 1_400_000  # characters, for frames that compress badly; what no longer fits is shown without


@dataclass(frozen=True)
class ShownFrame:
    """A row of predictions as the page shows it."""

    where: str  # list:line, of the list its name only: the lists of a folder of predictions have different ones
    source: str  # the whole path of the list
    path: str  # "" where the list is gone or changed
    true: str | None  # None: the line has no label
    predicted: str
    probability: str  # in percent
    picture: str | None  # data URI


def render_page(results: Results) -> str:
    """One HTML page without outside resources, of the same bytes for the same results and frames."""
    pairs = confused_pairs(results.scores.confusion)
    shown = pairs[:PAIRS_SHOWN]
    groups = [_rows_of_pair(results, pair) for pair in shown]
    rankings = (results.surely_wrong, results.refused, results.slipped_through, results.least_sure)
    shown_frames = _show(results, [*groups, *(ranking.rows for ranking in rankings)])
    *of_pairs, wrong, refused, slipped, unsure = shown_frames
    roc = roc_points(results.refusing)
    return render(
        TEMPLATE,
        summary=summary_rows(results),
        models=model_rows(results),
        lists=[list_name(manifest) for manifest in results.manifests],
        classes=class_rows(results) if results.scored else [],
        reliability=reliability_rows(results.calibration),
        bins=results.calibration.table(),
        percent=percent,
        predicted=predicted_rows(results) if results.unlabelled else [],
        pairs=[_pair(results, pair, group) for pair, group in zip(shown, of_pairs, strict=True)],
        pairs_found=len(pairs),
        wrong=wrong,
        unsure=unsure,
        refusing=refusal_rows(results.refusing) if results.refusing.rows else [],
        refused=refused,
        slipped=slipped,
        roc=roc[0] if roc else [],
        at=roc[1] if roc else None,
        frames_shown=sum(map(len, shown_frames)),
        without_picture=sum(frame.picture is None for group in shown_frames for frame in group),
        reasons=sorted(results.not_read.items(), key=lambda item: (-item[1], item[0])),
        not_read=results.not_read.total(),
        unread=results.first_not_read,
    )


def _rows_of_pair(results: Results, pair: np.void) -> np.ndarray:
    rows = results.of_pairs.rows
    return rows[(rows["label"] == pair["true"]) & (rows["pred"] == pair["predicted"])]


def _pair(results: Results, pair: np.void, frames: list[ShownFrame]) -> dict[str, object]:
    return {
        "true": results.class_names[pair["true"]],
        "predicted": results.class_names[pair["predicted"]],
        "count": int(pair["count"]),
        "share": percent(pair["share"]),
        "frames": frames,
    }


def _show(results: Results, groups: list[np.ndarray]) -> list[list[ShownFrame]]:
    """The frames of each RANKED group; earlier groups get pictures first, as long as there is room."""
    files = find_frames(results.manifests, np.concatenate(groups))
    room = PICTURES_SIZE
    shown = []
    for group in groups:
        frames = []
        for row in group:
            path, picture = files.get((int(row["shard"]), int(row["row"])), ("", None))
            picture = picture if len(picture or "") <= room else None
            room -= len(picture or "")
            frames.append(_frame(results, row, path, picture))
        shown.append(frames)
    return shown


def _frame(results: Results, row: np.void, path: str, picture: str | None) -> ShownFrame:
    source = list_name(results.manifests[row["shard"]])
    return ShownFrame(
        where=f"{PurePath(source).name}:{row['row'] + 1}",
        source=source,
        path=path,
        true=_true_name(results, row["label"]),
        predicted=results.class_names[row["pred"]],
        probability=percent(row["score"]),
        picture=picture,
    )


def _true_name(results: Results, label: int) -> str | None:
    if label == UNLABELLED:
        return None
    return UNKNOWN_WORD if label == UNKNOWN else results.class_names[label]

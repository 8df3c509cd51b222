"""The frames that the results page of a detector shows."""

from collections.abc import Iterable

import numpy as np

from game_classifier.console import percent
from game_classifier.pages.box_results_page import PageBox, PageFrame, class_colour
from game_classifier.tasks.detection.confusion import SHOWN
from game_classifier.tasks.detection.predicted import PredictedBoxes

CLASSES_SHOWN = 24  # of those found, the most frequent ones
BOXES_SHOWN = 60  # on a frame, the best ones
TRUE_NOTE = "True boxes are white and dashed, found ones have the colour of their class and their score in percent."


def gallery(predicted: PredictedBoxes) -> dict[str, tuple[str, list[PageFrame]]]:
    """Heading -> (note, frames)."""
    shown = f"Boxes with a score of at least {percent(SHOWN)} %"
    groups: dict[str, tuple[str, list[PageFrame]]] = {}
    if predicted.has_scores:
        rows = list(predicted.scored)
        worst = [rows[number] for number in predicted.state["worst"].tolist()]
        note = f"Missed, confused and false boxes together. {TRUE_NOTE}"
        groups["Frames with the most errors"] = note, [_frame(predicted, *each) for each in worst]
    surest = _of_frequent_classes(predicted)
    groups["The surest box of each class"] = f"{shown}, on the frames of the best one of each class.", surest
    most = [_frame(predicted, int(row["shard"]), int(row["row"])) for row in predicted.most.rows]
    groups["The most boxes"] = f"{shown}.", most
    nearly = [_nearly_found(predicted, int(row["shard"]), int(row["row"])) for row in predicted.nearly.rows]
    groups["Nearly found"] = f"Frames without a box of {percent(SHOWN)} %; their best box is shown.", nearly
    return groups


def _of_frequent_classes(predicted: PredictedBoxes) -> list[PageFrame]:
    rows = predicted.surest.rows
    order = np.argsort(-predicted.found[rows["pred"]], kind="stable")[:CLASSES_SHOWN]
    frames = []
    for row in rows[order]:
        caption = f"{predicted.class_names[row['pred']]} {percent(row['score'])} %"
        frames.append(_frame(predicted, int(row["shard"]), int(row["row"]), caption))
    return frames


def _frame(predicted: PredictedBoxes, shard: int, row: int, caption: str = "") -> PageFrame:
    _, boxes = predicted.frame(shard, row)
    found = boxes[boxes["score"] >= SHOWN]
    caption = caption or f"{len(found)} box{'es' if len(found) != 1 else ''}"
    return _with_boxes(predicted, shard, row, found[:BOXES_SHOWN], caption)


def _nearly_found(predicted: PredictedBoxes, shard: int, row: int) -> PageFrame:
    best = predicted.frame(shard, row)[1][:1]
    caption = f"{predicted.class_names[best[0]['class']]} {percent(best[0]['score'])} %"
    return _with_boxes(predicted, shard, row, best, caption)


def _with_boxes(predicted: PredictedBoxes, shard: int, row: int, found: np.ndarray, caption: str) -> PageFrame:
    each, _ = predicted.frame(shard, row)
    drawn = [*_drawn(predicted, predicted.true_of(shard, row)), *_drawn(predicted, found)]
    return PageFrame(shard, row, int(each["height"]), int(each["width"]), drawn, caption)


def _drawn(predicted: PredictedBoxes, boxes: np.ndarray) -> Iterable[PageBox]:
    """Found boxes of a row, or TRUE ones."""
    for box in boxes:
        label = int(box["class"])
        if "box" in boxes.dtype.names:
            yield PageBox(predicted.class_names[label], None, "", tuple(map(float, box["box"])))
        else:
            corners = tuple(float(box[name]) for name in ("x1", "y1", "x2", "y2"))
            yield PageBox(predicted.class_names[label], float(box["score"]), class_colour(label), corners)

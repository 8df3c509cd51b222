"""Average precision as COCO defines it, counted by faster-coco-eval."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from faster_coco_eval import COCO, COCOeval_faster

FOUND = np.dtype([("class", "<i4"), ("score", "<f4"), ("box", "<f4", 4)])  # box: x1 y1 x2 y2 in pixels of the file
TRUE = np.dtype([("class", "<i4"), ("box", "<f4", 4)])  # the same
AREAS = ("all", "small", "medium", "large")  # below 32 x 32, below 96 x 96, and larger, in pixels of the file
RECALLS = 101
BOXES_AT_A_TIME = 500_000  # found boxes that are counted together: as Python objects they take half a gigabyte


@dataclass(frozen=True)
class FrameResult:
    """The true boxes of a frame, TRUE [n], and those found, FOUND [k]."""

    true: np.ndarray
    found: np.ndarray


@dataclass(frozen=True)
class AveragePrecision:
    """All scores are in 0..1; NaN where there is no such box."""

    figures: dict[str, float]  # ap, ap50, ap75, ap_small, ap_medium, ap_large
    per_class: np.ndarray  # float64 [C, 2]: AP, and AP at an IoU of 0.5
    precision: np.ndarray  # float64 [C, RECALLS] at an IoU of 0.5, over the recalls 0, 0.01 ... 1


def average_precision(frames: Mapping[int, FrameResult], num_classes: int) -> AveragePrecision:
    """Count over all frames, whose keys are numbers of any kind but each once."""
    table = np.full((10, RECALLS, num_classes, len(AREAS)), -1.0)
    for first, end in _class_ranges(frames, num_classes):
        table[:, :, first:end] = _precision(frames, first, end, num_classes)
    table = np.where(table < 0, np.nan, table)
    figures = {"ap": _mean(table[..., 0]), "ap50": _mean(table[0, ..., 0]), "ap75": _mean(table[5, ..., 0])}
    figures |= {f"ap_{name}": _mean(table[..., area]) for area, name in enumerate(AREAS) if area}
    per_class = [[_mean(table[:, :, label, 0]), _mean(table[0, :, label, 0])] for label in range(num_classes)]
    return AveragePrecision(figures, np.array(per_class).reshape(num_classes, 2), table[0, :, :, 0].T.copy())


def _class_ranges(frames: Mapping[int, FrameResult], num_classes: int) -> Iterator[tuple[int, int]]:
    """Successive classes (first, end) with at most BOXES_AT_A_TIME boxes found together, or a single class."""
    counts = np.zeros(num_classes, np.int64)
    for frame in frames.values():
        counts += np.bincount(frame.found["class"], minlength=num_classes)
    first = 0
    for label in range(1, num_classes):
        if counts[first : label + 1].sum() > BOXES_AT_A_TIME:
            yield first, label
            first = label
    yield first, num_classes


def _precision(frames: Mapping[int, FrameResult], first: int, end: int, num_classes: int) -> np.ndarray:
    """Precision float64 [IoU, recall, class, area] of the classes from `first` to before `end`; -1: no such box."""
    if end - first < num_classes:
        frames = {number: _of_classes(frame, first, end) for number, frame in frames.items()}
    truth = coco_truth(frames, num_classes)
    shape = (10, RECALLS, end - first, len(AREAS))
    if not truth["annotations"]:
        return np.full(shape, -1.0)
    known = COCO(truth)
    found = known.loadRes(coco_found(frames) or _nothing(truth))
    evaluation = COCOeval_faster(known, found, "bbox", print_function=_silent)
    evaluation.params.catIds = list(range(first + 1, end + 1))
    evaluation.params.maxDets = [100]
    evaluation.evaluate()
    evaluation.accumulate()
    return np.asarray(evaluation.eval["precision"], np.float64).reshape(shape)


def _of_classes(frame: FrameResult, first: int, end: int) -> FrameResult:
    boxes = (frame.true, frame.found)
    return FrameResult(*(each[(each["class"] >= first) & (each["class"] < end)] for each in boxes))


def coco_truth(frames: Mapping[int, FrameResult], num_classes: int) -> dict[str, Any]:
    """The true boxes as a COCO file has them; ids of classes count from 1."""
    annotations = []
    for number in sorted(frames):
        for label, box in frames[number].true.tolist():
            sides = _corner_and_sides(box)
            annotations.append(
                {"id": len(annotations) + 1, "image_id": number, "category_id": label + 1, "iscrowd": 0}
                | {"bbox": sides, "area": sides[2] * sides[3]}
            )
    return {
        "images": [{"id": number} for number in sorted(frames)],
        "annotations": annotations,
        "categories": [{"id": label + 1, "name": str(label)} for label in range(num_classes)],
    }


def coco_found(frames: Mapping[int, FrameResult]) -> list[dict[str, Any]]:
    """The boxes found as a COCO results file has them."""
    return [
        {"image_id": number, "category_id": label + 1, "bbox": _corner_and_sides(box), "score": score}
        for number in sorted(frames)
        for label, score, box in frames[number].found.tolist()
    ]


def _nothing(truth: dict[str, Any]) -> list[dict[str, Any]]:
    """A result that hits no box: an empty list of results is an error."""
    first = truth["annotations"][0]
    return [{"image_id": first["image_id"], "category_id": first["category_id"], "bbox": [-9, -9, 1, 1], "score": 0.0}]


def _corner_and_sides(box: list[float]) -> list[float]:
    x1, y1, x2, y2 = box
    return [x1, y1, x2 - x1, y2 - y1]


def _mean(values: np.ndarray) -> float:
    return float(np.nanmean(values)) if np.isfinite(values).any() else float("nan")


def _silent(*_: object) -> None:
    """Print nothing."""

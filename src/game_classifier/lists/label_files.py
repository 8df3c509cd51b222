"""Label files in the format of YOLO: one `class cx cy w h` in each line, the last four as shares of the picture.

The labels of `.../images/day1/7.png` are `.../labels/day1/7.txt`; without a folder `images` they are beside the image.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from game_classifier.errors import InputError
from game_classifier.lists.lines import read_lines
from game_classifier.storage import write_text

IMAGES, LABELS = "images", "labels"
LEAST_SIDE = 1e-6  # share of the picture's side: far below a pixel of any picture
MOST_BOXES = 5000  # on a frame; more are a mistake of the program that wrote them, and take minutes to match
BOX = np.dtype([("class", "<i4"), ("box", "<f4", 4)])  # box: x1, y1, x2, y2 as shares of the picture, within 0..1


@dataclass(frozen=True)
class LabelProblem:
    """A line of a label file that is not a box."""

    kind: str  # wrong_label, unknown_class, box_outside, box_without_area or too_many_boxes
    line: int  # from 1
    reason: str  # with the remedy


def label_path(image: str | Path) -> Path:
    """Where the labels of an image are."""
    path = Path(image)
    folders = list(path.parts[:-1])
    if IMAGES in folders:
        last = len(folders) - 1 - folders[::-1].index(IMAGES)
        folders[last] = LABELS
    return Path(*folders, f"{path.stem}.txt")


def read_boxes(path: Path, num_classes: int) -> np.ndarray:
    """The boxes of a label file, BOX [n]; none for an empty file.

    A box that reaches beyond the picture is cut at its edge. Raises InputError, with file and line, for the first line
    that is not a box.
    """
    boxes = []
    for item in parse_labels(read_lines(path), num_classes):
        if isinstance(item, LabelProblem):
            raise InputError(f"{path}:{item.line}: {item.reason}")
        boxes.append((item[1], cut(item[2:])))
    return np.array(boxes, BOX)


def parse_labels(
    lines: Sequence[str], num_classes: int
) -> Iterator[LabelProblem | tuple[int, int, float, float, float, float]]:
    """A problem, or (line, class, cx, cy, w, h), of each line that is not blank."""
    count = 0
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        count += 1
        if count > MOST_BOXES:
            reason = f"more than {MOST_BOXES} boxes on a frame; remove the surplus, or the frame from its list"
            yield LabelProblem("too_many_boxes", number, reason)
            return
        yield _parse(line, number, num_classes)


def _parse(line: str, number: int, num_classes: int) -> LabelProblem | tuple[int, int, float, float, float, float]:
    def problem(kind: str, reason: str) -> LabelProblem:
        return LabelProblem(kind, number, reason)

    if "," in line:
        return problem("wrong_label", f"{line.strip()!r} has commas; separate `class cx cy w h` with spaces")
    words = line.split()
    if len(words) != 5:
        return problem("wrong_label", f"{len(words)} columns, but a box has five: `class cx cy w h`; correct the line")
    try:
        label, *box = map(float, words)
    except ValueError:
        return problem("wrong_label", f"{line.strip()!r} is not five numbers `class cx cy w h`; correct the line")
    if not all(map(math.isfinite, (label, *box))):
        return problem("wrong_label", f"{line.strip()!r} has a value that is not finite; correct the line")
    if label != int(label) or not 0 <= label < num_classes:
        return problem(
            "unknown_class",
            f"class {words[0]}, but the {num_classes} classes of annotations.txt are 0 to {num_classes - 1}; correct"
            " one of them",
        )
    if min(box) < 0 or max(box) > 1:
        return problem(
            "box_outside",
            f"{' '.join(words[1:])} is not within 0 to 1; `cx cy w h` are shares of the picture's width and height, not"
            " pixels",
        )
    if min(box[2:]) < LEAST_SIDE:
        return problem("box_without_area", f"a box of {words[3]} x {words[4]} has no area; remove the line")
    return number, int(label), *box


def cut(box: Sequence[float]) -> tuple[float, float, float, float]:
    """(x1, y1, x2, y2) within 0..1 of (cx, cy, w, h)."""
    cx, cy, width, height = box
    return max(0, cx - width / 2), max(0, cy - height / 2), min(1, cx + width / 2), min(1, cy + height / 2)


def write_boxes(path: Path, boxes: np.ndarray) -> None:
    """Write a label file of BOX [n]; an empty file says that the frame is background."""
    lines = []
    for label, (x1, y1, x2, y2) in boxes.tolist():
        centre_and_size = (x1 + x2) / 2, (y1 + y2) / 2, x2 - x1, y2 - y1
        lines.append(f"{label} {' '.join(f'{value:.7g}' for value in centre_and_size)}\n")
    write_text(path, "".join(lines))

"""Boxes of objects that a game's memory names, fitted to what the picture shows."""

from collections.abc import Mapping, Sequence

import numpy as np

from game_classifier.lists.label_files import BOX

MARGIN = 1  # pixels by which a box from the memory may be too small
LEAST_LEFT = 0.2  # of a box's area: less of an object is hidden, or the memory is ahead of the picture

Corners = tuple[int, int, int, int]  # x1, y1, x2, y2 in pixels; x2 and y2 are the first ones outside


def fitted_boxes(
    screen: np.ndarray, objects: Sequence[tuple[str, int, int, int, int]], labels: Mapping[str, int]
) -> np.ndarray:
    """The boxes BOX [n] of `objects`, (category, x, y, width, height) in pixels of `screen` uint8 [H, W, 3].

    `labels` has the class of each category to keep. Objects without sides, outside of the picture or without any
    foreground are left out, and so is a second box at the same place.
    """
    height, width = screen.shape[:2]
    kept = {}
    for category, x, y, wide, high in objects:
        if category not in labels or wide <= 0 or high <= 0:
            continue
        corners = fit((x, y, x + wide, y + high), screen)
        if corners and area(corners) >= LEAST_LEFT * wide * high:
            kept[labels[category], corners] = np.array(corners) / (width, height, width, height)
    return np.array([(label, box) for (label, _), box in kept.items()], BOX)


def fit(corners: Corners, screen: np.ndarray) -> Corners | None:
    """The part of a box that shows an object; None if no part does.

    A side of the box moves inwards for as long as its outermost row or column of pixels shows nothing: it is the same
    as the one outside, or goes on outside of one of its ends without a change, as a stripe of sky or water does.
    """
    height, width = screen.shape[:2]
    x1, y1 = (max(0, each - MARGIN) for each in corners[:2])
    x2, y2 = min(width, corners[2] + MARGIN), min(height, corners[3] + MARGIN)
    across = screen.transpose(1, 0, 2)
    before = None
    while before != (x1, y1, x2, y2):  # a shorter row may show nothing where the longer one did
        before = x1, y1, x2, y2
        while x1 < x2 and _shows_nothing(across, x1, x1 - 1, y1, y2):
            x1 += 1
        while x1 < x2 and _shows_nothing(across, x2 - 1, x2, y1, y2):
            x2 -= 1
        while y1 < y2 and _shows_nothing(screen, y1, y1 - 1, x1, x2):
            y1 += 1
        while y1 < y2 and _shows_nothing(screen, y2 - 1, y2, x1, x2):
            y2 -= 1
        if x1 >= x2 or y1 >= y2:
            return None
    return x1, y1, x2, y2


def _shows_nothing(screen: np.ndarray, row: int, outside: int, start: int, stop: int) -> bool:
    """Whether the pixels from `start` to `stop` of a row are background; `outside` is the row beyond it."""
    pixels = screen[row, start:stop]
    known = [screen[outside, start:stop]] if 0 <= outside < len(screen) else []
    known += [screen[row, end] for end in (start - 1, stop) if 0 <= end < screen.shape[1]]
    return any((pixels == each).all() for each in known)


def area(corners: Corners) -> int:
    """In pixels."""
    x1, y1, x2, y2 = corners
    return (x2 - x1) * (y2 - y1)

"""Which classes are taken for each other or for background, at the scores that a user would show."""

from dataclasses import dataclass

import numpy as np
import torch
from torchvision.ops import box_iou

from game_classifier.tasks.detection.average_precision import FrameResult

SHOWN = 0.25  # least score of a box that counts
OVERLAP = 0.45  # least IoU of a true and a found box that belong together


@dataclass(frozen=True)
class Pairs:
    """The true and found boxes of a frame that belong together."""

    true: np.ndarray  # int64 [m]
    found: np.ndarray  # int64 [m], numbers of all found boxes


def pair_boxes(frame: FrameResult) -> Pairs:
    """Pair boxes of any classes, the greatest IoU first, each box once."""
    shown = np.flatnonzero(frame.found["score"] >= SHOWN)
    boxes = (np.ascontiguousarray(each) for each in (frame.true["box"], frame.found["box"][shown]))
    overlap = box_iou(*map(torch.from_numpy, boxes)).numpy()
    pairs: list[tuple[int, int]] = []
    while overlap.size and overlap.max() > OVERLAP:
        true, found = np.unravel_index(overlap.argmax(), overlap.shape)
        pairs.append((int(true), int(shown[found])))
        overlap[true], overlap[:, found] = 0, 0
    return Pairs(*np.array(pairs, np.int64).reshape(-1, 2).T)


def add_frame(confusion: np.ndarray, frame: FrameResult) -> int:
    """Add a frame to the counts int64 [C + 1, C + 1], rows the true classes, the last row and column background.

    Returns how many boxes of the frame are wrong: missed, of another class, or of nothing.
    """
    pairs, background = pair_boxes(frame), len(confusion) - 1
    true, found = frame.true["class"], frame.found["class"]
    before = confusion.sum() - np.trace(confusion)
    np.add.at(confusion, (true[pairs.true], found[pairs.found]), 1)
    np.add.at(confusion, (np.delete(true, pairs.true), background), 1)
    shown = np.setdiff1d(np.flatnonzero(frame.found["score"] >= SHOWN), pairs.found)
    np.add.at(confusion, (background, found[shown]), 1)
    return int(confusion.sum() - np.trace(confusion) - before)

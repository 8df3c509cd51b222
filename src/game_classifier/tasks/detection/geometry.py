"""Boxes between three places: shares of the file's picture, pixels of the network's frame, pixels of the file."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from game_classifier.frames.decode import Preprocessing, resized_size
from game_classifier.lists.box_list import FrameBoxes


@dataclass(frozen=True)
class Targets:
    """The boxes of a batch of frames."""

    frame: Tensor  # int64 [K], the number of the frame in the batch
    label: Tensor  # int64 [K]
    box: Tensor  # float32 [K, 4], x1 y1 x2 y2 as shares of the frame

    def __getitem__(self, wanted: Tensor) -> "Targets":
        return Targets(self.frame[wanted], self.label[wanted], self.box[wanted])

    def to(self, device: torch.device) -> "Targets":
        """The same on `device`."""
        return Targets(self.frame.to(device), self.label.to(device), self.box.to(device))


def pictures(sizes: np.ndarray, preprocessing: Preprocessing) -> np.ndarray:
    """Where the whole picture of each file lies on its frame, float32 [n, 4]: left, top, width, height in pixels.

    `sizes` int [n, 2] are heights and widths of files. A cropped picture begins before the frame. For a JPEG that is
    decoded at a part of its size, rounding may move a side by up to one pixel.
    """
    places = np.zeros((len(sizes), 4), np.float32)
    for place, (height, width) in zip(places, sizes.tolist(), strict=True):
        frame = preprocessing.height, preprocessing.width
        scaled = resized_size(max(1, height), max(1, width), *frame, preprocessing.resize)
        place[:] = (frame[1] - scaled[1]) // 2, (frame[0] - scaled[0]) // 2, scaled[1], scaled[0]
    return places


def to_targets(boxes: FrameBoxes, preprocessing: Preprocessing) -> Targets:
    """The boxes on the network's frames; those on a cropped part are cut, or left out."""
    frame = boxes.frame_of_box()
    place = pictures(boxes.sizes, preprocessing)[frame]
    shares = boxes.boxes["box"] * np.tile(place[:, 2:], 2) + np.tile(place[:, :2], 2)
    shares /= (preprocessing.width, preprocessing.height) * 2
    targets = Targets(*map(torch.from_numpy, (frame, boxes.boxes["class"].astype(np.int64), shares.astype(np.float32))))
    return clipped(targets)


def clipped(targets: Targets, least_share: float = 0.0) -> Targets:
    """Boxes cut at the frame's edges, without those of which no more than `least_share` of the area remains."""
    box = targets.box.clamp(0, 1)
    left = _area(box) > least_share * _area(targets.box)
    return Targets(targets.frame, targets.label, box)[left]


def _area(box: Tensor) -> Tensor:
    return (box[:, 2] - box[:, 0]).clamp(min=0) * (box[:, 3] - box[:, 1]).clamp(min=0)


def to_file(box: np.ndarray, place: np.ndarray, size: np.ndarray) -> np.ndarray:
    """Boxes float [k, 4] in pixels of the frame -> pixels of the file, cut at its edges.

    `place` [4] is the frame's of `pictures`, and `size` the file's (height, width).
    """
    scale = np.tile(np.array([size[1], size[0]], np.float32) / place[2:], 2)
    moved = (box - np.tile(place[:2], 2)) * scale
    return np.clip(moved, 0, np.tile(np.array([size[1], size[0]], np.float32), 2)).astype(np.float32)

"""Anchors that fit the boxes of a data set: a check of those that a network has, and k-means where they do not fit."""

import numpy as np
import torch
from sklearn.cluster import KMeans

from game_classifier.frames.decode import Preprocessing
from game_classifier.lists.box_list import FrameBoxes
from game_classifier.models.anchor_head import AnchorHead
from game_classifier.tasks.detection.anchor_matching import MOST_RATIO
from game_classifier.tasks.detection.geometry import pictures

LEAST_FITTING = 0.98  # share of the boxes; below it other anchors are looked for


def box_sides(boxes: FrameBoxes, preprocessing: Preprocessing) -> np.ndarray:
    """Width and height of each box in pixels of the network's frame, float32 [B, 2]."""
    places = pictures(boxes.sizes, preprocessing)[boxes.frame_of_box()]
    box = boxes.boxes["box"]
    return (box[:, 2:] - box[:, :2]) * places[:, 2:]


def fitting_share(anchors: np.ndarray, sides: np.ndarray) -> float:
    """The share of boxes, `sides` [B, 2], that at least one of `anchors` [A, 2] can learn; both in pixels."""
    ratio = sides[:, None] / anchors
    return float((np.maximum(ratio, 1 / ratio).max(-1).min(-1) < MOST_RATIO).mean())


def cluster_sides(sides: np.ndarray, count: int, seed: int) -> np.ndarray:
    """`count` anchors [count, 2] in the units of `sides` [B, 2], from small to large area.

    K-means of the logarithms: a box fits an anchor by the ratio of their sides, not by the difference.
    """
    means = KMeans(count, n_init=4, random_state=seed).fit(np.log(sides)).cluster_centers_
    anchors = np.exp(means)
    return anchors[np.argsort(anchors.prod(axis=1), kind="stable")].astype(np.float32)


def fit_anchors(head: AnchorHead, sides: np.ndarray, seed: int) -> str:
    """Give `head` anchors of k-means if its own fit too few of the boxes; return in one sentence what was done."""
    strides = torch.tensor(head.strides).reshape(-1, 1, 1)
    own = (head.anchors * strides).reshape(-1, 2).numpy()
    share = fitting_share(own, sides)
    fit = f"the network's anchors fit {100 * share:.2f}% of {len(sides)} boxes"
    if share >= LEAST_FITTING or len(np.unique(sides, axis=0)) < len(own):
        return fit
    found = cluster_sides(sides, len(own), seed)
    better = fitting_share(found, sides)
    if better <= share:
        return f"{fit}, and those of k-means no more"
    head.anchors.copy_(torch.from_numpy(found).reshape(head.anchors.shape) / strides)
    return f"{fit}; anchors of k-means, which fit {100 * better:.2f}%, take their place"

"""The boxes of a frame in pixels of its file's picture: those found, from a detector's answer, and the true ones."""

import numpy as np
import torch

from game_classifier.frames.decode import Preprocessing
from game_classifier.tasks.detection.average_precision import FOUND, TRUE
from game_classifier.tasks.detection.geometry import pictures, to_file
from game_classifier.tasks.detection.nms import SCORE, select_boxes


def found_boxes(
    answers: tuple[np.ndarray, np.ndarray], sizes: np.ndarray, preprocessing: Preprocessing, least_score: float = SCORE
) -> list[np.ndarray]:
    """FOUND [k], best first, of each frame, after NMS and cut at the edges of its picture.

    `answers` are boxes float32 [n, M, 4] in pixels of the network's frames and scores float32 [n, M, C]; `sizes`
    int [n, 2] are height and width of the pictures in the files. Boxes that lie beside the picture are left out.
    """
    places = pictures(sizes, preprocessing)
    return [_of_frame(*each, least_score) for each in zip(*answers, places, sizes, strict=True)]


def true_boxes(boxes: np.ndarray, size: np.ndarray) -> np.ndarray:
    """TRUE [n] of a label file's boxes on a picture of this height and width."""
    true = np.zeros(len(boxes), TRUE)
    true["class"] = boxes["class"]
    true["box"] = boxes["box"] * np.tile(size[::-1], 2)
    return true


def _of_frame(
    boxes: np.ndarray, scores: np.ndarray, place: np.ndarray, size: np.ndarray, least_score: float
) -> np.ndarray:
    kept = select_boxes(torch.from_numpy(boxes), torch.from_numpy(scores), least_score)
    box, score, label = (each.numpy() for each in kept)
    found = np.zeros(len(box), FOUND)
    found["class"], found["score"], found["box"] = label, score, to_file(box, place, size)
    return found[(found["box"][:, :2] < found["box"][:, 2:]).all(axis=1)]

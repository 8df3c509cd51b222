"""The loss of detectors with anchors: boxes by CIoU, objectness, classes.

Source: YOLOv5 v6.0; CIoU: Zheng et al., "Distance-IoU Loss", 2020.
"""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F
from torchvision.ops import complete_box_iou_loss

from game_classifier.models.anchor_head import OTHERS, decode_boxes
from game_classifier.tasks.detection.anchor_matching import Matches, match
from game_classifier.tasks.detection.geometry import Targets

BOX, OBJECTNESS, CLASS = 0.05, 1.0, 0.5  # weights for three levels, 640 pixels and 80 classes
# Fine levels have many more cells, so an error of one weighs less in their mean.
LEVELS = {3: (4.0, 1.0, 0.4), 4: (4.0, 1.0, 0.25, 0.06)}
# YOLOv5's learning rates are for the sum over a step of 64 frames; ours is a mean, whatever the batch.
FRAMES_A_STEP = 64
LEAST_SIDE = 1e-6  # of a found box in cells: CIoU divides its width by its height


def anchor_loss(
    outputs: Sequence[Tensor], targets: Targets, anchors: Tensor, strides: Sequence[int], num_classes: int
) -> Tensor:
    """The loss, float32 [], of each level's outputs [N, H, W, A, 5 + C].

    `anchors` float [levels, A, 2] are in cells of their level.
    """
    levels = len(outputs)
    boxes, objects, classes = [], [], []
    for output, level_anchors, weight in zip(outputs, anchors, LEVELS[levels], strict=True):
        box, objectness, label = _level_loss(output.float(), targets, level_anchors.float(), num_classes)
        boxes.append(box)
        objects.append(weight * objectness)
        classes.append(label)
    pixels = outputs[0].shape[1] * outputs[0].shape[2] * strides[0] ** 2
    return (
        FRAMES_A_STEP
        * (3 / levels)
        * (BOX * sum(boxes) + OBJECTNESS * pixels / 640**2 * sum(objects) + CLASS * num_classes / 80 * sum(classes))
    )


def _level_loss(output: Tensor, targets: Targets, anchors: Tensor, num_classes: int) -> tuple[Tensor, Tensor, Tensor]:
    """Mean losses of boxes, objectness and classes at one level."""
    _, height, width, count, values = output.shape
    scale = torch.tensor([width, height, width, height], device=output.device)
    wanted = targets.box * scale  # in cells
    matches = match(wanted, anchors, height, width)
    places = ((targets.frame[matches.target] * height + matches.row) * width + matches.column) * count + matches.anchor
    flat = output.reshape(-1, values)
    # Not flat[places]: the gradient of that is added up by several threads in any order, so no training would repeat.
    found = flat.index_select(0, places)

    objectness = torch.zeros(len(flat), device=output.device)
    box = label = output.sum() * 0
    if len(places):
        # From the corner of each cell: far from it, the corners of a thin box would be the same float32.
        cell = torch.stack([matches.column, matches.row], 1).repeat(1, 2)
        overlap = 1 - complete_box_iou_loss(_decoded(found, matches, anchors), wanted[matches.target] - cell)
        box = (1 - overlap).mean()
        # Where two boxes meet in one place, the better one counts, in whatever order they come.
        objectness.scatter_reduce_(0, places, overlap.detach().clamp(min=0), "amax")
        if num_classes > 1:  # a single class is certain where there is an object
            hot = F.one_hot(targets.label[matches.target], num_classes).float()
            label = F.binary_cross_entropy_with_logits(found[:, OTHERS:], hot)
    return box, F.binary_cross_entropy_with_logits(flat[:, OTHERS - 1], objectness), label


def _decoded(found: Tensor, matches: Matches, anchors: Tensor) -> Tensor:
    """Boxes x1 y1 x2 y2 in cells from the corner of their cell, float [m, 4], of the outputs found at `matches`."""
    values = found[:, : OTHERS - 1].sigmoid().reshape(-1, 1, 1, 1, OTHERS - 1)
    centre, size = decode_boxes(values, values.new_ones(1, 2))
    centre = centre.reshape(-1, 2)
    size = (size.reshape(-1, 2) * anchors[matches.anchor]).clamp(min=LEAST_SIDE)
    return torch.cat([centre - size / 2, centre + size / 2], 1)

"""The loss of PicoDet: classes by varifocal loss, boxes by GIoU, and the distributions of their sides.

Sources: Yu et al., "PP-PicoDet", 2021; Rezatofighi et al., "Generalized Intersection over Union", 2019. Weights and
means are those of PaddleDetection's PicoDet.
"""

from collections.abc import Sequence

import torch
from torch import Tensor
from torchvision.ops import generalized_box_iou_loss

from game_classifier.models.pico_head import BINS, SIDES, around, cell_centres, distances
from game_classifier.tasks.detection.focal_losses import distribution_loss, varifocal_loss
from game_classifier.tasks.detection.geometry import Targets
from game_classifier.tasks.detection.simota import Assignment, assign

BOX, DISTRIBUTION = 2.0, 0.25  # weights beside the loss of the classes
FARTHEST = BINS - 1 - 0.1  # distance in cells that a side can learn


def pico_loss(outputs: Sequence[Tensor], targets: Targets, strides: Sequence[int], num_classes: int) -> Tensor:
    """The loss, float32 [], of each level's outputs [N, H, W, C + SIDES * BINS].

    The classes' loss is divided by the number of cells that learn a box, each frame counted with at least one. The
    other two are means over these cells, weighted by the best score of each.
    """
    values = torch.cat([output.float().flatten(1, 2) for output in outputs], 1)
    logits, sides = values.split([num_classes, SIDES * BINS], -1)
    middle, stride = _cells(outputs, strides)
    pixels = torch.tensor([outputs[0].shape[2], outputs[0].shape[1]] * 2, device=values.device) * strides[0]
    wanted = targets.box * pixels
    matched = _assign_all(logits, sides, middle, stride, wanted, targets)

    frames, cells = values.shape[:2]
    logits, sides, place = logits.flatten(0, 1), sides.flatten(0, 1), matched.place
    quality = torch.zeros_like(logits)
    quality[place, targets.label[matched.target]] = matched.overlap
    learning = torch.bincount(place // cells, minlength=frames).clamp(min=1).sum()
    classes = varifocal_loss(logits, quality).sum() / learning

    # Not sides[place]: the gradient of that is added up by several threads in any order, so no training would repeat.
    found, score = sides.index_select(0, place), logits.detach()[place].sigmoid().amax(1)
    middle, box = middle[place % cells], wanted[matched.target] / stride[place % cells]  # in cells
    apart = generalized_box_iou_loss(around(middle, distances(found)), box)
    away = torch.cat([middle - box[:, :2], box[:, 2:] - middle], 1).clamp(0, FARTHEST)
    spread = distribution_loss(found.unflatten(1, (SIDES, BINS)), away).mean(1)
    return classes + ((BOX * apart + DISTRIBUTION * spread) * score).sum() / score.sum().clamp(min=1)


def _cells(outputs: Sequence[Tensor], strides: Sequence[int]) -> tuple[Tensor, Tensor]:
    """The middles of all cells, in cells of their level [P, 2], and the sides of the cells in pixels [P, 1]."""
    middles, sides = [], []
    for output, stride in zip(outputs, strides, strict=True):
        middle = cell_centres(output.shape[1], output.shape[2], output.device).flatten(0, 1)
        middles.append(middle)
        sides.append(torch.full_like(middle[:, :1], stride))
    return torch.cat(middles), torch.cat(sides)


@torch.no_grad()
def _assign_all(
    logits: Tensor, sides: Tensor, middle: Tensor, stride: Tensor, wanted: Tensor, targets: Targets
) -> Assignment:
    """The assignments of all frames, with places counted over all N * P cells and targets over all boxes."""
    boxes = around(middle, distances(sides)) * stride
    parts = []
    for frame in range(len(logits)):
        rows = (targets.frame == frame).nonzero().squeeze(1)
        part = assign(logits[frame], boxes[frame], middle * stride, stride, wanted[rows], targets.label[rows])
        parts.append(Assignment(part.place + frame * len(middle), rows[part.target], part.overlap))
    return Assignment(*(torch.cat(each) for each in zip(*((p.place, p.target, p.overlap) for p in parts), strict=True)))

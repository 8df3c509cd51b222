"""SimOTA: which cells learn which box, decided by what the network answers there.

Source: Ge et al., "YOLOX", 2021, section 2.2, with the costs and constants of PaddleDetection's PicoDet.
"""

from dataclasses import dataclass

import torch
from torch import Tensor
from torchvision.ops import box_iou, generalized_box_iou

from game_classifier.tasks.detection.focal_losses import varifocal_loss

RADIUS = 2.5  # in cells: how near to a box's middle a cell may learn it
MOST = 10  # cells of a box
BOX_COST = 6.0  # of a GIoU that is 1 too low, beside the loss of the classes
FAR = 1e8  # cost of a cell that is outside of the box, or far from its middle


@dataclass(frozen=True)
class Assignment:
    """Pairs of a cell and a box; a cell is in at most one of them."""

    place: Tensor  # int64 [m], the cell
    target: Tensor  # int64 [m], the box
    overlap: Tensor  # float32 [m], IoU of the cell's answer and the box


@torch.no_grad()
def assign(
    logits: Tensor, boxes: Tensor, centres: Tensor, strides: Tensor, wanted: Tensor, labels: Tensor
) -> Assignment:
    """Assign the boxes of one frame, `wanted` float [K, 4] with `labels` int64 [K], to its P cells.

    A cell answers with class logits [P, C] and a box [P, 4]; it has its middle at `centres` [P, 2] and sides of
    `strides` [P, 1]. All boxes are x1, y1, x2, y2 in pixels. A box gets as many cells as its best MOST overlaps add up
    to, rounded down, but at least one: those with the lowest cost. A cell chosen by several boxes gets the cheapest
    box.
    """
    inside = ((centres[:, None] > wanted[:, :2]) & (centres[:, None] < wanted[:, 2:])).all(-1)
    middle = (wanted[:, :2] + wanted[:, 2:]) / 2
    near = ((centres[:, None] - middle).abs() < RADIUS * strides[:, None]).all(-1)
    candidates = (inside | near).any(1).nonzero().squeeze(1)
    if not len(candidates):  # there is no box
        nothing = candidates.new_zeros(0)
        return Assignment(nothing, nothing, boxes.new_zeros(0))

    answers = boxes[candidates]
    overlap = box_iou(answers, wanted)
    # In float64: beside FAR, float32 would round all differences away.
    cost = _class_cost(logits[candidates], labels, overlap).double()
    cost += BOX_COST * (1 - generalized_box_iou(answers, wanted)).double()
    cost += FAR * ~(inside & near)[candidates]

    most = min(MOST, len(candidates))
    count = overlap.topk(most, 0).values.sum(0).long().clamp(min=1)
    cheapest = cost.topk(most, 0, largest=False).indices
    is_counted = torch.arange(most, device=cost.device)[:, None] < count
    chosen = torch.zeros_like(cost, dtype=torch.bool).scatter_(0, cheapest, is_counted)
    target = torch.where(chosen.sum(1) > 1, cost.argmin(1), chosen.int().argmax(1))
    found = chosen.any(1).nonzero().squeeze(1)
    target = target[found]
    return Assignment(candidates[found], target, overlap[found, target])


def _class_cost(logits: Tensor, labels: Tensor, overlap: Tensor) -> Tensor:
    """The loss of all classes, float [n, K], if a cell with logits [n, C] learnt a box of `labels` [K].

    `overlap` [n, K] is what the score of the box's class should be; the other classes are summed once for all boxes.
    """
    nothing = varifocal_loss(logits, torch.zeros_like(logits))
    return nothing.sum(1, keepdim=True) - nothing[:, labels] + varifocal_loss(logits[:, labels], overlap)

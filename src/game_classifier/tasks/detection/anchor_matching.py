"""Which anchors of which cells learn which box.

Source: YOLOv5 v6.0; there is no paper. A box may go to several anchors, several cells and several levels.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

MOST_RATIO = 4.0  # between a side of a box and of its anchor: how far decoding reaches


@dataclass(frozen=True)
class Matches:
    """Pairs of a box and a place of the output at one level, all int64 [m]."""

    target: Tensor  # the box
    anchor: Tensor
    row: Tensor  # the cell
    column: Tensor


def match(box: Tensor, anchors: Tensor, height: int, width: int) -> Matches:
    """Match boxes float [K, 4], x1 y1 x2 y2 in cells, with `anchors` float [A, 2] in cells on height x width cells.

    A box goes to each anchor whose sides are neither MOST_RATIO times as long nor as short, in the cell of its centre
    and in the two nearest neighbour cells: centres are decoded from half a cell outside of their cell.
    """
    size = box[:, 2:] - box[:, :2]
    centre = (box[:, 2:] + box[:, :2]) / 2
    ratio = size[:, None] / anchors
    fits = torch.maximum(ratio, 1 / ratio).amax(-1) < MOST_RATIO
    target, anchor = fits.nonzero(as_tuple=True)

    centre = centre[target]
    limits = torch.tensor([width, height], device=box.device)
    cell = torch.minimum(centre.long(), limits - 1)
    before = centre - cell < 0.5  # [m, 2]: nearer to the cell on the left, above
    step = torch.where(before, -1, 1)
    found = [(target, anchor, cell)]
    for axis in (0, 1):
        neighbour = cell.clone()
        neighbour[:, axis] += step[:, axis]
        inside = (neighbour[:, axis] >= 0) & (neighbour[:, axis] < limits[axis])
        found.append((target[inside], anchor[inside], neighbour[inside]))
    target, anchor, cell = (torch.cat(parts) for parts in zip(*found, strict=True))
    return Matches(target, anchor, cell[:, 1], cell[:, 0])

"""The head of PicoDet: in each cell, class scores and the distances to the four sides of a box as distributions.

Sources: Yu et al., "PP-PicoDet", 2021; the distributions are of Li et al., "Generalized Focal Loss", 2020.
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from game_classifier.models.conv_norm import separable

STRIDES = (8, 16, 32, 64)
BINS = 8  # a side is 0 to 7 cells away from the middle of its cell
SIDES = 4  # left, top, right, bottom
FIRST_SCORE = 0.01  # of each class, with fresh weights


class PicoHead(nn.Module):
    """Maps float [N, width, H, W] -> outputs [N, H, W, C + SIDES * BINS], one for each level, before any sigmoid.

    Each level has its own layers; classes and sides share them.
    """

    def __init__(self, width: int, num_classes: int, blocks: int, strides: Sequence[int] = STRIDES) -> None:
        super().__init__()
        self.num_classes = num_classes
        self.strides = tuple(strides)
        self.features = nn.ModuleList(nn.Sequential(*(separable(width, width) for _ in range(blocks))) for _ in strides)
        self.outputs = nn.ModuleList(nn.Conv2d(width, num_classes + SIDES * BINS, 1) for _ in strides)
        for convolution in self.outputs:
            nn.init.normal_(convolution.weight, std=0.01)
            nn.init.zeros_(convolution.bias)
            # Most cells hold nothing; the first steps would else be spent on learning that.
            convolution.bias.detach()[:num_classes] = math.log(FIRST_SCORE / (1 - FIRST_SCORE))

    def forward(self, maps: list[Tensor]) -> list[Tensor]:
        """Predict at each level."""
        return [
            convolution(features(each)).permute(0, 2, 3, 1)
            for features, convolution, each in zip(self.features, self.outputs, maps, strict=True)
        ]

    def decoder(self) -> "PicoDecoder":
        """The module that turns the outputs into boxes and scores."""
        return PicoDecoder(self.num_classes, self.strides)


class PicoDecoder(nn.Module):
    """Outputs of `PicoHead` -> boxes float32 [N, M, 4] and scores float32 [N, M, C].

    Boxes are x1, y1, x2, y2 in pixels of the network's input; they may reach beyond it. The M boxes are those of the
    levels in turn, and of a level by row and column.
    """

    def __init__(self, num_classes: int, strides: Sequence[int]) -> None:
        super().__init__()
        self.num_classes = num_classes
        self.strides = tuple(strides)

    def forward(self, outputs: list[Tensor]) -> tuple[Tensor, Tensor]:
        """Decode all levels."""
        boxes, scores = [], []
        for output, stride in zip(outputs, self.strides, strict=True):
            values = output.float()
            centres = cell_centres(values.shape[1], values.shape[2], values.device)
            box = around(centres, distances(values[..., self.num_classes :]))
            boxes.append((box * stride).flatten(1, 2))
            scores.append(values[..., : self.num_classes].sigmoid().flatten(1, 2))
        return torch.cat(boxes, 1), torch.cat(scores, 1)


def distances(sides: Tensor) -> Tensor:
    """Distances in cells, float [..., SIDES]: the means of the distributions with the logits [..., SIDES * BINS]."""
    bins = torch.arange(BINS, device=sides.device, dtype=sides.dtype)
    return (sides.unflatten(-1, (SIDES, BINS)).softmax(-1) * bins).sum(-1)


def around(centres: Tensor, sides: Tensor) -> Tensor:
    """Boxes x1 y1 x2 y2, float [..., 4], with these distances [..., 4] between the centres [..., 2] and their sides."""
    return torch.cat([centres - sides[..., :2], centres + sides[..., 2:]], -1)


def cell_centres(height: int, width: int, device: torch.device) -> Tensor:
    """(x, y) of the middle of each cell, in cells, float32 [height, width, 2]."""
    row = torch.arange(height, device=device) + 0.5
    column = torch.arange(width, device=device) + 0.5
    return torch.stack([column.expand(height, width), row[:, None].expand(height, width)], -1)

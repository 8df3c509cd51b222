"""The head of the YOLOv5 family: in each cell of each level, a box, an objectness and class scores for some anchors.

Source: YOLOv5 v6.0, `Detect`; there is no paper. Centres are those of its v5.0 and later, which reach beyond the cell.
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

OTHERS = 5  # values of an anchor before its class scores: x, y, width, height, objectness
# (width, height) in pixels of a frame of 640, for strides 8, 16 and 32; from k-means on COCO
COCO_ANCHORS = (
    ((10, 13), (16, 30), (33, 23)),
    ((30, 61), (62, 45), (59, 119)),
    ((116, 90), (156, 198), (373, 326)),
)
STRIDES = (8, 16, 32)
# What a fresh head expects: objects on a frame of 640 pixels, and the probability that they have any class.
OBJECTS, ANY_CLASS = 8, 0.6


class AnchorHead(nn.Module):
    """Maps float [N, widths[i], H, W] -> outputs [N, H, W, anchors, 5 + C], before any sigmoid.

    The buffer `anchors` float [levels, anchors, 2] holds widths and heights in cells of their level, as files of YOLOv5
    do.
    """

    def __init__(
        self,
        widths: Sequence[int],
        num_classes: int,
        anchors: Sequence[Sequence[tuple[int, int]]] = COCO_ANCHORS,
        strides: Sequence[int] = STRIDES,
    ) -> None:
        super().__init__()
        self.num_classes = num_classes
        self.strides = tuple(strides)
        pixels = torch.tensor(anchors, dtype=torch.float32)
        self.register_buffer("anchors", pixels / torch.tensor(strides).reshape(-1, 1, 1))
        self.outputs = nn.ModuleList(nn.Conv2d(width, pixels.shape[1] * (OTHERS + num_classes), 1) for width in widths)
        self._expect_few_objects()

    def _expect_few_objects(self) -> None:
        """Start where most anchors hold nothing; the first steps would else be spent on learning that."""
        for convolution, stride in zip(self.outputs, self.strides, strict=True):
            bias = convolution.bias.detach().view(-1, OTHERS + self.num_classes)
            bias[:, OTHERS - 1] += math.log(OBJECTS / (640 / stride) ** 2)
            bias[:, OTHERS:] += math.log(ANY_CLASS / (self.num_classes - 0.99))

    def forward(self, maps: list[Tensor]) -> list[Tensor]:
        """Predict at each level."""
        count = self.anchors.shape[1]
        outputs = []
        for convolution, features in zip(self.outputs, maps, strict=True):
            # In memory, convolutions that run in channels_last have their outputs in this order already.
            outputs.append(convolution(features).permute(0, 2, 3, 1).unflatten(-1, (count, -1)))
        return outputs

    def decoder(self) -> "AnchorDecoder":
        """The module that turns the outputs into boxes and scores."""
        return AnchorDecoder(self.anchors, self.strides)


class AnchorDecoder(nn.Module):
    """Outputs of `AnchorHead` -> boxes float32 [N, M, 4] and scores float32 [N, M, C].

    Boxes are x1, y1, x2, y2 in pixels of the network's input; they may reach beyond it. A score is objectness times
    class probability. The M boxes are those of the levels in turn, and of a level by row, column and anchor.
    """

    def __init__(self, anchors: Tensor, strides: Sequence[int]) -> None:
        super().__init__()
        self.strides = tuple(strides)
        self.register_buffer("anchors", anchors.detach().clone())

    def forward(self, outputs: list[Tensor]) -> tuple[Tensor, Tensor]:
        """Decode all levels."""
        boxes, scores = [], []
        for level, (output, stride) in enumerate(zip(outputs, self.strides, strict=True)):
            values = output.float().sigmoid()
            centre, size = decode_boxes(values[..., :4], self.anchors[level].float())
            boxes.append((torch.cat([centre - size / 2, centre + size / 2], -1) * stride).flatten(1, 3))
            scores.append((values[..., 4:5] * values[..., 5:]).flatten(1, 3))
        return torch.cat(boxes, 1), torch.cat(scores, 1)


def decode_boxes(values: Tensor, anchors: Tensor) -> tuple[Tensor, Tensor]:
    """(centre, size) float [N, H, W, A, 2] in cells, of sigmoids [N, H, W, A, 4] and anchors [A, 2] in cells.

    A centre lies from half a cell before its cell to half a cell behind it, a side from 0 to 4 times the anchor's.
    """
    height, width = values.shape[1], values.shape[2]
    row = torch.arange(height, device=values.device, dtype=values.dtype)
    column = torch.arange(width, device=values.device, dtype=values.dtype)
    cells = torch.stack([column.expand(height, width), row[:, None].expand(height, width)], -1)
    return values[..., :2] * 2 - 0.5 + cells[:, :, None], (values[..., 2:] * 2) ** 2 * anchors

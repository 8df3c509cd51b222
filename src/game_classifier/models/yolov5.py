"""YOLOv5 v6.0 as a classifier: the detector's trunk with the head of the published yolov5*-cls networks.

Written from the layers' description (YOLOv5 v6.0's model table, v6.2's classifier); there is no paper.
"""

import math
from collections import OrderedDict

import torch
from torch import Tensor, nn

from game_classifier.models.conv_norm import ConvNormAct, set_batch_norms

WIDTHS = (64, 128, 256, 512, 1024)  # of the stem and the four stages, at width multiple 1
BLOCKS = (3, 6, 9, 3)  # bottlenecks in each stage, at depth multiple 1
HEAD_WIDTH = 1280
# The YOLO family's, in the trunk; the classification head keeps torch's.
BATCH_NORM = {"eps": 1e-3, "momentum": 0.03}


class Bottleneck(nn.Module):
    """A 1x1 and a 3x3 convolution, with their input added: float [N, C, H, W] -> [N, C, H, W]."""

    def __init__(self, channels: int, shortcut: bool = True) -> None:
        super().__init__()
        self.shortcut = shortcut
        self.conv1 = ConvNormAct(channels, channels, 1, activation=nn.SiLU)
        self.conv2 = ConvNormAct(channels, channels, 3, activation=nn.SiLU)

    def forward(self, features: Tensor) -> Tensor:
        """Convolve twice."""
        convolved = self.conv2(self.conv1(features))
        return features + convolved if self.shortcut else convolved


class C3(nn.Module):
    """A cross-stage partial block with three 1x1 convolutions: float [N, C, H, W] -> [N, out_channels, H, W].

    One half of the channels passes `blocks` bottlenecks, the other goes round them. Source: Wang et al., "CSPNet",
    2019, as YOLOv5 has it.
    """

    def __init__(self, in_channels: int, out_channels: int, blocks: int, shortcut: bool = True) -> None:
        super().__init__()
        half = out_channels // 2
        self.through = ConvNormAct(in_channels, half, activation=nn.SiLU)
        self.around = ConvNormAct(in_channels, half, activation=nn.SiLU)
        self.blocks = nn.Sequential(*(Bottleneck(half, shortcut) for _ in range(blocks)))
        self.merge = ConvNormAct(2 * half, out_channels, activation=nn.SiLU)

    def forward(self, features: Tensor) -> Tensor:
        """Part, transform one half, merge."""
        return self.merge(torch.cat([self.blocks(self.through(features)), self.around(features)], 1))


class YOLOv5(nn.Module):
    """The v6.0 trunk up to its last C3, without SPPF, and the classification head that follows it in v6.2.

    Float [N, 3, H, W] -> logits [N, num_classes]; features are at stride 32. The published head's dropout of 0 is
    left out. Multiples of depth and width: n 0.33, 0.25; s 0.33, 0.5; m 0.67, 0.75; l 1, 1; x 1.33, 1.25.
    """

    def __init__(self, num_classes: int, depth: float, width: float) -> None:
        super().__init__()
        self.trunk = yolov5_trunk(depth, width)
        self.head = nn.Sequential(
            OrderedDict(
                conv=ConvNormAct(scaled_widths(width)[-1], HEAD_WIDTH, activation=nn.SiLU),
                pool=nn.AdaptiveAvgPool2d(1),
                flatten=nn.Flatten(),
                fc=nn.Linear(HEAD_WIDTH, num_classes),
            )
        )

    def forward(self, pixels: Tensor) -> Tensor:
        """Infer."""
        return self.head(self.trunk(pixels))


def yolov5_trunk(depth: float, width: float) -> nn.Sequential:
    """Layers 0 to 8 of v6.0, without SPPF: `stem`, and four `stages` at strides 4, 8, 16 and 32."""
    stem, *widths = scaled_widths(width)
    trunk = nn.Sequential(
        OrderedDict(stem=ConvNormAct(3, stem, 6, 2, padding=2, activation=nn.SiLU), stages=nn.Sequential())
    )
    for in_channels, channels, blocks in zip((stem, *widths), widths, BLOCKS, strict=False):
        stage = OrderedDict(
            downsample=ConvNormAct(in_channels, channels, 3, 2, activation=nn.SiLU),
            c3=C3(channels, channels, scaled_depth(blocks, depth)),
        )
        trunk.stages.append(nn.Sequential(stage))
    set_batch_norms(trunk, **BATCH_NORM)
    return trunk


def scaled_widths(width: float) -> list[int]:
    """Channels of the stem and the four stages at this multiple of the width."""
    return [round_up(channels * width) for channels in WIDTHS]


def round_up(channels: float) -> int:
    """The next multiple of 8."""
    return 8 * math.ceil(channels / 8)


def scaled_depth(blocks: int, depth: float) -> int:
    """Bottlenecks of a C3 at this multiple of the depth."""
    return max(round(blocks * depth), 1)

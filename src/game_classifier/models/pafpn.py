"""The neck of the detectors: a pyramid of features from the top down, and once more from the bottom up.

Source: Liu et al., "Path Aggregation Network", 2018, as YOLOv5 has it in its layers 10 to 23.
"""

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from game_classifier.models.conv_norm import ConvNormAct
from game_classifier.models.yolov5 import C3

Widths = tuple[int, int, int]  # channels of the three maps, from the finest
Layer = Callable[[int, int], nn.Module]  # makes a layer of (channels in, channels out)


def pointwise(in_channels: int, out_channels: int) -> ConvNormAct:
    """YOLOv5's 1x1 convolution."""
    return ConvNormAct(in_channels, out_channels, activation=nn.SiLU)


def strided(in_channels: int, out_channels: int) -> ConvNormAct:
    """YOLOv5's downsampling: a 3x3 convolution of stride 2."""
    return ConvNormAct(in_channels, out_channels, 3, 2, activation=nn.SiLU)


def c3_of(blocks: int) -> Layer:
    """YOLOv5's C3 with this number of bottlenecks, without shortcuts."""
    return partial(C3, blocks=blocks, shortcut=False)


class CrossStage(nn.Module):
    """A cross-stage partial block: `through` and `around` transform the same features, `merge` their concatenation.

    Float [N, C, H, W] -> [N, out_channels, H, W]. Source: Wang et al., "CSPNet", 2019.
    """

    def __init__(self, through: nn.Module, around: nn.Module, merge: nn.Module) -> None:
        super().__init__()
        self.through = through
        self.around = around
        self.merge = merge

    def forward(self, features: Tensor) -> Tensor:
        """Transform in two ways, and merge."""
        return self.merge(torch.cat([self.through(features), self.around(features)], 1))


class PAFPN(nn.Module):
    """Maps at three strides, each twice the one before, [N, in_widths[i], H_i, W_i] -> maps [N, widths[i], H_i, W_i].

    `block` makes the layer after each of the four concatenations, `downsample` the two that halve a map, and `reduce`
    the two before a map is doubled.
    """

    def __init__(
        self,
        in_widths: Widths,
        widths: Widths,
        block: Layer,
        downsample: Layer = strided,
        reduce: Layer = pointwise,
    ) -> None:
        super().__init__()
        in3, in4, in5 = in_widths
        out3, out4, out5 = widths
        self.reduce5 = reduce(in5, out4)
        self.merge4 = block(out4 + in4, out4)
        self.reduce4 = reduce(out4, out3)
        self.out3 = block(out3 + in3, out3)
        self.down3 = downsample(out3, out3)
        self.out4 = block(2 * out3, out4)
        self.down4 = downsample(out4, out4)
        self.out5 = block(2 * out4, out5)

    def forward(self, maps: list[Tensor]) -> list[Tensor]:
        """Merge downwards, then upwards."""
        map3, map4, map5 = maps
        top5 = self.reduce5(map5)
        top4 = self.reduce4(self.merge4(torch.cat([_doubled(top5), map4], 1)))
        out3 = self.out3(torch.cat([_doubled(top4), map3], 1))
        out4 = self.out4(torch.cat([self.down3(out3), top4], 1))
        out5 = self.out5(torch.cat([self.down4(out4), top5], 1))
        return [out3, out4, out5]


def _doubled(features: Tensor) -> Tensor:
    """Float [N, C, H, W] -> [N, C, 2H, 2W], each value in a square of four."""
    return F.interpolate(features, scale_factor=2.0, mode="nearest")

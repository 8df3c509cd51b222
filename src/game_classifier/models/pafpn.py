"""The neck of the YOLOv5 family: a pyramid of features from the top down, and once more from the bottom up.

Source: Liu et al., "Path Aggregation Network", 2018, as YOLOv5 has it with C3 blocks (its layers 10 to 23).
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from game_classifier.models.conv_norm import ConvNormAct
from game_classifier.models.yolov5 import C3

Widths = tuple[int, int, int]  # channels at strides 8, 16 and 32


def strided(in_channels: int, out_channels: int) -> ConvNormAct:
    """YOLOv5's downsampling: a 3x3 convolution of stride 2."""
    return ConvNormAct(in_channels, out_channels, 3, 2, activation=nn.SiLU)


class PAFPN(nn.Module):
    """Maps at strides 8, 16 and 32, float [N, in_widths[i], H_i, W_i] -> maps [N, widths[i], H_i, W_i].

    `blocks` is the number of bottlenecks in each C3; `downsample(in, out)` makes the two downsampling layers.
    """

    def __init__(
        self,
        in_widths: Widths,
        widths: Widths,
        blocks: int,
        downsample: Callable[[int, int], nn.Module] = strided,
    ) -> None:
        super().__init__()
        in3, in4, in5 = in_widths
        out3, out4, out5 = widths

        def c3(in_channels: int, out_channels: int) -> C3:
            return C3(in_channels, out_channels, blocks, shortcut=False)

        self.reduce5 = ConvNormAct(in5, out4, activation=nn.SiLU)
        self.merge4 = c3(out4 + in4, out4)
        self.reduce4 = ConvNormAct(out4, out3, activation=nn.SiLU)
        self.out3 = c3(out3 + in3, out3)
        self.down3 = downsample(out3, out3)
        self.out4 = c3(2 * out3, out4)
        self.down4 = downsample(out4, out4)
        self.out5 = c3(2 * out4, out5)

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

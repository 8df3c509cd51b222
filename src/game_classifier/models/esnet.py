"""ESNet, the backbone of PP-PicoDet, as a classifier.

Source: Yu et al., "PP-PicoDet: A Better Real-Time Object Detector on Mobile Devices", 2021, section 3.2; widths are
those of the detectors S, M, L (after their search) and of the published ImageNet classifier x1.0.
"""

from collections import OrderedDict
from dataclasses import dataclass
from itertools import pairwise

import torch
from timm.layers import SqueezeExcite
from torch import Tensor, nn

from game_classifier.models.conv_norm import ConvNormAct

STEM = 24
DEPTHS = (3, 7, 3)
DROPOUT = 0.2  # of the wide head


@dataclass(frozen=True)
class Widths:
    """Channels of an ESNet."""

    stages: tuple[int, int, int]
    middle: tuple[int, ...]  # of each of the 13 blocks, between its pointwise convolutions
    head: tuple[int, int] | None = None  # of the convolution before pooling and the linear layer after it


ESNET_S = Widths((96, 192, 384), (88, 48, 48, 96, 120, 96, 120, 96, 96, 96, 192, 192, 192))
ESNET_M = Widths((128, 256, 512), (112, 64, 128, 160, 128, 192, 160, 160, 128, 160, 512, 320, 384))
ESNET_L = Widths((160, 320, 640), (144, 80, 160, 200, 160, 240, 200, 200, 160, 200, 640, 400, 480))
ESNET_X1_0 = Widths((120, 232, 464), (120,) * 3 + (232,) * 7 + (464,) * 3, (1024, 1280))


class DownsamplingBlock(nn.Module):
    """ES block of stride 2: float [N, in_channels, H, W] -> [N, out_channels, H/2, W/2].

    Two branches, depthwise first and pointwise first, then a depthwise and a pointwise convolution that mix them in
    place of a channel shuffle.
    """

    def __init__(self, in_channels: int, out_channels: int, middle: int) -> None:
        super().__init__()
        half, inner = out_channels // 2, middle // 2
        self.branch1 = nn.Sequential(depthwise(in_channels, stride=2), pointwise(in_channels, half))
        self.branch2 = nn.Sequential(
            pointwise(in_channels, inner), depthwise(inner, stride=2), squeeze_excite(inner), pointwise(inner, half)
        )
        self.mix = nn.Sequential(
            depthwise(out_channels, activation=nn.Hardswish), pointwise(out_channels, out_channels)
        )

    def forward(self, features: Tensor) -> Tensor:
        """Halve height and width."""
        return self.mix(torch.cat([self.branch1(features), self.branch2(features)], 1))


class GhostBlock(nn.Module):
    """ES block of stride 1: float [N, C, H, W] -> [N, C, H, W].

    One half of the channels stays; the other passes a pointwise convolution whose maps are doubled by a cheap
    depthwise one (Han et al., "GhostNet", 2020), is weighted and projected back. Then the halves are shuffled.
    """

    def __init__(self, channels: int, middle: int) -> None:
        super().__init__()
        self.half = half = channels // 2
        inner = middle // 2
        self.expand = pointwise(half, inner)
        self.ghost = depthwise(inner)
        self.se = squeeze_excite(2 * inner)
        self.project = pointwise(2 * inner, half)

    def forward(self, features: Tensor) -> Tensor:
        """Transform one half, and shuffle."""
        kept, changed = features[:, : self.half], features[:, self.half :]
        primary = self.expand(changed)
        changed = self.project(self.se(torch.cat([primary, self.ghost(primary)], 1)))
        return shuffle_channels(torch.cat([kept, changed], 1))


class ESNet(nn.Module):
    """Stem, max-pool, three stages at strides 8, 16 and 32, and a classifier.

    Float [N, 3, H, W] -> logits [N, num_classes]. The classifier is global average pooling and a linear layer or,
    where `widths.head` says so, the wider one of the published ImageNet network.
    """

    def __init__(self, num_classes: int, widths: Widths) -> None:
        super().__init__()
        self.stem, self.stages = esnet_trunk(widths)
        self.head = _head(widths, num_classes)

    def forward(self, pixels: Tensor) -> Tensor:
        """Infer."""
        return self.head(self.stages(self.stem(pixels)))


def esnet_trunk(widths: Widths) -> nn.Sequential:
    """`stem` with its max-pool, at stride 4, and three `stages` at strides 8, 16 and 32."""
    stem = nn.Sequential(ConvNormAct(3, STEM, 3, 2, activation=nn.Hardswish), nn.MaxPool2d(3, stride=2, padding=1))
    trunk = nn.Sequential(OrderedDict(stem=stem, stages=nn.Sequential()))
    middle = iter(widths.middle)
    for (in_channels, channels), depth in zip(pairwise((STEM, *widths.stages)), DEPTHS, strict=True):
        first = DownsamplingBlock(in_channels, channels, next(middle))
        trunk.stages.append(nn.Sequential(first, *(GhostBlock(channels, next(middle)) for _ in range(depth - 1))))
    return trunk


def _head(widths: Widths, num_classes: int) -> nn.Sequential:
    pool = OrderedDict(pool=nn.AdaptiveAvgPool2d(1), flatten=nn.Flatten())
    last = widths.stages[-1]
    if not widths.head:
        return nn.Sequential(pool | OrderedDict(fc=nn.Linear(last, num_classes)))
    before, after = widths.head
    hidden = OrderedDict(hidden=nn.Linear(before, after, bias=False), act=nn.Hardswish(), dropout=nn.Dropout(DROPOUT))
    return nn.Sequential(
        OrderedDict(conv=pointwise(last, before)) | pool | hidden | OrderedDict(fc=nn.Linear(after, num_classes))
    )


def pointwise(in_channels: int, out_channels: int) -> ConvNormAct:
    """A 1x1 convolution with BatchNorm and hard-swish."""
    return ConvNormAct(in_channels, out_channels, activation=nn.Hardswish)


def depthwise(channels: int, stride: int = 1, activation: type[nn.Module] = nn.Identity) -> ConvNormAct:
    """A 3x3 convolution of each channel by itself, with BatchNorm."""
    return ConvNormAct(channels, channels, 3, stride, groups=channels, activation=activation)


def squeeze_excite(channels: int) -> SqueezeExcite:
    """Weights of the channels from their means, through a quarter as many (Hu et al., 2018), with a hard sigmoid."""
    return SqueezeExcite(channels, rd_channels=channels // 4, gate_layer="hard_sigmoid")


def shuffle_channels(features: Tensor, groups: int = 2) -> Tensor:
    """Float [N, C, H, W]: interleave the `groups` parts of the channels (Zhang et al., "ShuffleNet", 2018)."""
    return features.unflatten(1, (groups, -1)).transpose(1, 2).flatten(1, 2)

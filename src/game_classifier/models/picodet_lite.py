"""The port of PicoDet's network to YOLOv5: ES blocks, CSP-PAN and a head with anchors on four levels.

Written from the description of the layers in pogg's article on PicoDet in YOLOv5-Lite, and the model tables there. Its
blocks resemble those of ESNet and its neck that of PicoDet, but neither is the same: see models/esnet.py and
models/picodet.py. The blocks of the port also hold branches that never run; they are left out here.
"""

from collections import OrderedDict
from functools import partial
from itertools import pairwise

import torch
from torch import Tensor, nn

from game_classifier.models.anchor_head import AnchorHead
from game_classifier.models.conv_norm import ConvNormAct, separable, set_batch_norms
from game_classifier.models.detector import Detector
from game_classifier.models.esnet import DownsamplingBlock, GhostBlock
from game_classifier.models.pafpn import PAFPN, CrossStage, pointwise
from game_classifier.models.yolov5 import BATCH_NORM, Bottleneck, round_up, scaled_depth

STEM, STAGES = 48, (96, 192, 384)  # widths, at width multiple 1
BLOCKS = (3, 7, 3)  # of stride 1 in each stage, at depth multiple 1
NECK_WIDTH = 192
STRIDES = (4, 8, 16, 32)  # half of PicoDet's: there is no max-pool
# (width, height) in strides. The port has no anchors of its own but leaves them to k-means on the data; these only are
# where a training starts.
SHAPES = ((3, 3), (3, 6), (6, 3), (6, 6))

LEAKY_RELU = partial(nn.LeakyReLU, 0.1)
DOWNSAMPLE = partial(separable, stride=2, activation=nn.ReLU)


class LiteDownsamplingBlock(DownsamplingBlock):
    """ES block of stride 2 with other activations: float [N, in_channels, H, W] -> [N, out_channels, H/2, W/2]."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__(in_channels, out_channels, middle=out_channels)
        self.branch2[0].act = nn.ReLU()
        self.mix[0].act = nn.Identity()


class LiteGhostBlock(GhostBlock):
    """ES block of stride 1 with other activations, narrow inside: float [N, C, H, W] -> [N, C, H, W]."""

    def __init__(self, channels: int) -> None:
        super().__init__(channels, middle=channels // 2)
        self.expand.act = nn.SiLU()
        self.ghost.act = nn.SiLU()


def bottleneck_csp(in_channels: int, out_channels: int) -> CrossStage:
    """YOLOv5's cross-stage partial block before C3, with one bottleneck.

    There, one BatchNorm and LeakyReLU follow the concatenation of two plain convolutions. Here, each convolution has
    its part of them: that is the same, and it folds.
    """
    half = out_channels // 2
    through = nn.Sequential(
        pointwise(in_channels, half),
        Bottleneck(half, shortcut=False),
        ConvNormAct(half, half, activation=LEAKY_RELU),
    )
    around = ConvNormAct(in_channels, half, activation=LEAKY_RELU)
    return CrossStage(through, around, pointwise(2 * half, out_channels))


class LiteCSPPAN(nn.Module):
    """Maps at strides 4, 8 and 16, float [N, in_widths[i], H_i, W_i] -> maps [N, width, ...] at these and at 32.

    The coarsest level comes from the last two, side by side or, with `add`, as a sum.
    """

    def __init__(self, in_widths: tuple[int, int, int], width: int, add: bool) -> None:
        super().__init__()
        *finer, last = in_widths
        self.add = add
        self.reduce = pointwise(last, width)
        self.merge = bottleneck_csp(width + last, width)
        self.pyramid = PAFPN((*finer, width), (width,) * 3, bottleneck_csp, DOWNSAMPLE)
        self.coarsest = DOWNSAMPLE(width if add else 2 * width, width)

    def forward(self, maps: list[Tensor]) -> list[Tensor]:
        """Merge downwards, then upwards, and add the level of stride 32."""
        *finer, last = maps
        reduced = self.reduce(last)
        outputs = self.pyramid([*finer, self.merge(torch.cat([reduced, last], 1))])
        both = outputs[-1] + reduced if self.add else torch.cat([outputs[-1], reduced], 1)
        return [*outputs, self.coarsest(both)]


def picodet_lite(num_classes: int, depth: float, width: float, add: bool = False) -> Detector:
    """The detector at these multiples of depth and width: s 0.67, 0.5; m 0.67, 0.75; l 0.67, 1; x 1, 1.

    Only s adds where the others concatenate.
    """
    stem, *stages = (round_up(channels * width) for channels in (STEM, *STAGES))
    trunk = nn.Sequential(OrderedDict(stem=ConvNormAct(3, stem, 3, 2, activation=nn.Hardswish), stages=nn.Sequential()))
    for (in_channels, channels), blocks in zip(pairwise((stem, *stages)), BLOCKS, strict=True):
        first = LiteDownsamplingBlock(in_channels, channels)
        rest = (LiteGhostBlock(channels) for _ in range(scaled_depth(blocks, depth)))
        trunk.stages.append(nn.Sequential(first, *rest))
    neck_width = round_up(NECK_WIDTH * width)
    anchors = [[(across * stride, down * stride) for across, down in SHAPES] for stride in STRIDES]
    head = AnchorHead((neck_width,) * len(STRIDES), num_classes, anchors, STRIDES)
    detector = Detector(trunk, LiteCSPPAN(tuple(stages), neck_width, add), head)
    set_batch_norms(detector, **BATCH_NORM)
    return detector

"""RepYOLOv5s as a classifier: YOLOv5s of v5.0 whose downsampling convolutions are RepVGG blocks.

Source: pogg's "Yolov5-Lite" articles (RepYOLOv5s, and v5Lite-g, whose backbone is the same); written from the layers'
description.
"""

from collections import OrderedDict

from timm.models.byobnet import LayerFn, RepVggBlock
from torch import Tensor, nn

from game_classifier.models.conv_norm import set_batch_norms
from game_classifier.models.rewrites import SPP, Focus
from game_classifier.models.yolov5 import BATCH_NORM, C3

STEM = 32
STAGES = ((64, 1), (128, 3), (256, 3))  # width, and bottlenecks of the C3
LAST = 512


class RepYOLOv5s(nn.Module):
    """Layers 0 to 9 of the detector, global average pooling and a linear classifier.

    Float [N, 3, H, W] -> logits [N, num_classes]; features are at stride 32. Trained with Focus, two branches in each
    downsampling block (3x3 and 1x1; at stride 2 there is no identity) and SPP; folded to one 6x6 convolution, one 3x3
    each, and SPPF: to YOLOv5s's own layers, with nothing in them that YOLOv5s does not have.
    """

    def __init__(self, num_classes: int) -> None:
        super().__init__()
        self.stem, self.stages = repyolo_trunk()
        self.head = nn.Sequential(
            OrderedDict(pool=nn.AdaptiveAvgPool2d(1), flatten=nn.Flatten(), fc=nn.Linear(LAST, num_classes))
        )

    def forward(self, pixels: Tensor) -> Tensor:
        """Infer."""
        return self.head(self.stages(self.stem(pixels)))


def repyolo_trunk() -> nn.Sequential:
    """Layers 0 to 9: `stem`, and four `stages` at strides 4, 8, 16 and 32."""
    trunk = nn.Sequential(OrderedDict(stem=Focus(3, STEM), stages=nn.Sequential()))
    channels = STEM
    for width, blocks in STAGES:
        trunk.stages.append(
            nn.Sequential(OrderedDict(downsample=rep_block(channels, width), c3=C3(width, width, blocks)))
        )
        channels = width
    last = OrderedDict(downsample=rep_block(channels, LAST), spp=SPP(LAST, LAST), c3=C3(LAST, LAST, 1, shortcut=False))
    trunk.stages.append(nn.Sequential(last))
    set_batch_norms(trunk, **BATCH_NORM)
    return trunk


def rep_block(in_channels: int, out_channels: int, stride: int = 2) -> RepVggBlock:
    """RepVGG's block with SiLU: float [N, in_channels, H, W] -> [N, out_channels, H/stride, W/stride].

    Source: Ding et al., "RepVGG", 2021, section 3.2; an identity branch where shapes allow it.
    """
    return RepVggBlock(in_channels, out_channels, stride=stride, layers=LayerFn(act=nn.SiLU))

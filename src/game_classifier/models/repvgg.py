"""RepVGG: timm's networks as their authors train them, the one published variant that timm lacks, and narrow ones."""

from collections.abc import Sequence
from functools import partial

import timm
from timm.models.byobnet import ByoBlockCfg, ByobNet, ByoModelCfg
from torch import Tensor, nn


def repvgg(name: str, num_classes: int) -> nn.Module:
    """Return one of timm's RepVGG networks, or one of `OWN`: float [N, 3, H, W] -> logits [N, num_classes].

    Source: Ding et al., "RepVGG: Making VGG-style ConvNets Great Again", 2021, tables 2 and 4.
    """
    network = OWN[name](num_classes=num_classes) if name in OWN else timm.create_model(name, num_classes=num_classes)
    avoid_strided_pointwise(network)
    _start_branches_alike(network)
    return network


def _b1g2(num_classes: int) -> ByobNet:
    """B1 whose every second block has two groups, as timm's B1g4 has four."""

    def group_size(channels: int, block: int) -> int:
        return channels // 2 if block % 2 else 0  # blocks after the stem count from 0; 0 means one group

    blocks = tuple(
        ByoBlockCfg(type="rep", d=depth, c=channels, gs=group_size)
        for depth, channels in ((4, 128), (6, 256), (16, 512), (1, 2048))
    )
    return ByobNet(ByoModelCfg(blocks=blocks, stem_type="rep", stem_chs=64), num_classes=num_classes)


def plain_repvgg(stem: int, stages: Sequence[tuple[int, int]], num_classes: int) -> ByobNet:
    """RepVGG with `stem` channels and stages of (blocks, channels), without groups."""
    blocks = tuple(ByoBlockCfg(type="rep", d=depth, c=channels, gs=0) for depth, channels in stages)
    return ByobNet(ByoModelCfg(blocks=blocks, stem_type="rep", stem_chs=stem), num_classes=num_classes)


OWN = {
    "repvgg_b1g2": _b1g2,
    "repvgg_tiny": partial(plain_repvgg, 8, ((1, 8), (2, 16), (2, 24), (1, 48))),  # every kind of block that A0 has
    # Found by a search over accuracy and INT8 time, see docs/recipes.md.
    "repvgg_t0": partial(plain_repvgg, 32, ((1, 48), (1, 64), (6, 96), (1, 512))),
    "repvgg_t1": partial(plain_repvgg, 32, ((2, 32), (4, 64), (8, 128), (1, 512))),
}


class SubsampledPointwise(nn.Conv2d):
    """A strided 1x1 convolution as a subsampling and a plain 1x1 convolution: the same sums, the same keys.

    torch 2.14 crashes on x86 CPUs in oneDNN's weight gradient of a *strided* 1x1 convolution with 3 or 4
    input channels in channels_last (in fp32, and in bf16 at some sizes): the stem of every RepVGG. A plain
    1x1 convolution of the same channels runs.
    """

    def forward(self, pixels: Tensor) -> Tensor:
        """Float [N, C, H, W] -> [N, out_channels, ceil(H / stride), ceil(W / stride)]."""
        rows, columns = self.stride
        return nn.functional.conv2d(pixels[:, :, ::rows, ::columns], self.weight, self.bias)


def avoid_strided_pointwise(network: nn.Module) -> None:
    """Let timm's RepVGG train in channels_last on a CPU."""
    strided = network.stem.conv_1x1.conv
    # On the meta device and with any weights: only the way it computes changes, so the class is swapped.
    strided.__class__ = SubsampledPointwise


def _start_branches_alike(network: nn.Module) -> None:
    """Start BatchNorm at weight 1 and bias 0, as RepVGG's authors do.

    timm draws the weights from N(0.1, 0.1), which leaves a third of the channels of a branch near zero.
    """
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.ones_(module.weight)
            nn.init.zeros_(module.bias)

"""PP-PicoDet: ESNet, CSP-PAN and a head without anchors, on four levels.

Source: Yu et al., "PP-PicoDet: A Better Real-Time Object Detector on Mobile Devices", 2021.
"""

from functools import partial

from torch import Tensor, nn

from game_classifier.models.conv_norm import separable
from game_classifier.models.detector import Detector
from game_classifier.models.esnet import Widths, esnet_trunk, pointwise
from game_classifier.models.pafpn import PAFPN, CrossStage
from game_classifier.models.pico_head import PicoHead

DOWNSAMPLE = partial(separable, stride=2)


class CSPPAN(nn.Module):
    """Maps at strides 8, 16 and 32, float [N, in_widths[i], H_i, W_i] -> maps [N, width, ...] at these and at 64.

    All have the same width from the start. Source: PP-PicoDet, section 3.3.
    """

    def __init__(self, in_widths: tuple[int, int, int], width: int) -> None:
        super().__init__()
        self.equal = nn.ModuleList(pointwise(channels, width) for channels in in_widths)
        self.pyramid = PAFPN((width,) * 3, (width,) * 3, _csp_layer, DOWNSAMPLE, _unchanged)
        self.coarsest_in = DOWNSAMPLE(width, width)
        self.coarsest_out = DOWNSAMPLE(width, width)

    def forward(self, maps: list[Tensor]) -> list[Tensor]:
        """Merge downwards, then upwards, and add a level from both sides of the last one."""
        maps = [layer(features) for layer, features in zip(self.equal, maps, strict=True)]
        outputs = self.pyramid(maps)
        return [*outputs, self.coarsest_in(maps[-1]) + self.coarsest_out(outputs[-1])]


def _csp_layer(in_channels: int, out_channels: int) -> CrossStage:
    half = out_channels // 2
    through = nn.Sequential(pointwise(in_channels, half), pointwise(half, half), separable(half, half))
    return CrossStage(through, pointwise(in_channels, half), pointwise(2 * half, out_channels))


def _unchanged(in_channels: int, out_channels: int) -> nn.Identity:
    return nn.Identity()


def picodet(num_classes: int, widths: Widths, neck_width: int, head_blocks: int) -> Detector:
    """The detector on ESNet of these widths. Neck and head: S 96 wide, 2 blocks a level; M 128, 4; L 160, 4."""
    neck = CSPPAN(widths.stages, neck_width)
    return Detector(esnet_trunk(widths), neck, PicoHead(neck_width, num_classes, head_blocks))

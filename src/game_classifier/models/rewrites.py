"""Layers of YOLOv5 before v6.0 and the plain ones that compute the same: Focus, and parallel max-pools.

A network is trained with the first and deployed with the second; `models/fold.py` rewrites it.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from game_classifier.models.conv_norm import ConvNormAct


class Focus(nn.Module):
    """Pixels of each 2x2 square side by side in channels, then a convolution: [N, C, H, W] -> [N, out, H//2, W//2].

    The four phases are in the order (row even, column even), (odd, even), (even, odd), (odd, odd).
    Source: YOLOv5 v5.0, layer 0.
    """

    def __init__(
        self, in_channels: int, out_channels: int, kernel_size: int = 3, *, activation: type[nn.Module] = nn.SiLU
    ) -> None:
        super().__init__()
        self.conv = ConvNormAct(4 * in_channels, out_channels, kernel_size, activation=activation)

    def forward(self, pixels: Tensor) -> Tensor:
        """Rearrange and convolve; an odd last row or column counts at the border only, as for a strided kernel."""
        height, width = pixels.shape[2:]
        pixels = F.pad(pixels, (0, width % 2, 0, height % 2))
        phases = [pixels[:, :, row::2, column::2] for column in (0, 1) for row in (0, 1)]
        return self.conv(torch.cat(phases, 1))[:, :, : height // 2, : width // 2]

    def fuse(self) -> ConvNormAct:
        """The convolution that this is, with BatchNorm fused; timm's `reparameterize_model` puts it in its place."""
        convolution = focus_to_convolution(self)
        convolution.reparameterize()
        return convolution


class SPP(nn.Module):
    """Spatial pyramid pooling, max-pools beside each other: float [N, C, H, W] -> [N, out_channels, H, W].

    Source: He et al., "Spatial Pyramid Pooling", 2014; in this form YOLOv5 v5.0, layer 8.
    """

    def __init__(self, in_channels: int, out_channels: int, kernel_sizes: tuple[int, ...] = (5, 9, 13)) -> None:
        super().__init__()
        self.kernel_sizes = kernel_sizes
        middle = in_channels // 2
        self.reduce = ConvNormAct(in_channels, middle, activation=nn.SiLU)
        self.pools = nn.ModuleList(nn.MaxPool2d(size, stride=1, padding=size // 2) for size in kernel_sizes)
        self.merge = ConvNormAct((len(kernel_sizes) + 1) * middle, out_channels, activation=nn.SiLU)

    def forward(self, features: Tensor) -> Tensor:
        """Pool over each window, and merge."""
        features = self.reduce(features)
        return self.merge(torch.cat([features, *(pool(features) for pool in self.pools)], 1))

    def fuse(self) -> "SPPF":
        """The same with one small pool; timm's `reparameterize_model` puts it in its place."""
        return spp_to_sppf(self)


class SPPF(nn.Module):
    """`SPP` with one small max-pool after another: float [N, C, H, W] -> [N, out_channels, H, W].

    Source: YOLOv5 v6.0, layer 9.
    """

    def __init__(self, in_channels: int, out_channels: int, kernel_size: int = 5, times: int = 3) -> None:
        super().__init__()
        self.times = times
        middle = in_channels // 2
        self.reduce = ConvNormAct(in_channels, middle, activation=nn.SiLU)
        self.pool = nn.MaxPool2d(kernel_size, stride=1, padding=kernel_size // 2)
        self.merge = ConvNormAct((times + 1) * middle, out_channels, activation=nn.SiLU)

    def forward(self, features: Tensor) -> Tensor:
        """Pool what was pooled, and merge."""
        pooled = [self.reduce(features)]
        for _ in range(self.times):
            pooled.append(self.pool(pooled[-1]))
        return self.merge(torch.cat(pooled, 1))


def focus_to_convolution(focus: Focus) -> ConvNormAct:
    """Return the one strided convolution that `focus` is, with its weights, and with the same BatchNorm.

    A kernel of k, which must be odd, becomes one of 2k at stride 2: weight u of phase a is at 2u + a. For
    k = 3 that is YOLOv5 v6.0's layer 0, 6x6 with padding 2. Equal at every pixel, borders and odd sizes included;
    only the order of the sums differs (1e-13 in float64). As many weights, as many multiplications.
    """
    inner = focus.conv.conv
    size = inner.kernel_size[0]
    if size % 2 == 0:
        raise ValueError(f"a kernel of {size}: only odd ones keep the middle that the rewrite relies on")
    in_channels = inner.in_channels // 4
    convolution = ConvNormAct(in_channels, inner.out_channels, 2 * size, 2, padding=2 * (size // 2))
    # [out, column phase, row phase, in, k, k] -> [out, in, k, row phase, k, column phase]
    phases = inner.weight.detach().unflatten(1, (2, 2, in_channels))
    weight = phases.permute(0, 3, 4, 2, 5, 1).reshape(inner.out_channels, in_channels, 2 * size, 2 * size)
    convolution.conv.weight = nn.Parameter(weight)
    convolution.bn, convolution.act = focus.conv.bn, focus.conv.act
    return convolution.train(focus.training)


def spp_to_sppf(spp: SPP) -> SPPF:
    """Return the SPPF that gives the same values as `spp`, to the bit, and shares its convolutions with it.

    Pooling n times over k is pooling once over n(k - 1) + 1, borders included: maxima of maxima over windows
    that overlap. Raises ValueError for other kernel sizes. Gradients are the same too, except where several values of a
    window are the largest: a different one of them may get the gradient.
    """
    smallest, times = spp.kernel_sizes[0], len(spp.kernel_sizes)
    if list(spp.kernel_sizes) != [n * (smallest - 1) + 1 for n in range(1, times + 1)] or smallest % 2 == 0:
        raise ValueError(f"max-pools of {spp.kernel_sizes} are not one odd kernel applied once, twice and so on")
    middle = spp.reduce.conv.out_channels
    sppf = SPPF(2 * middle, spp.merge.conv.out_channels, smallest, times)
    sppf.reduce, sppf.merge = spp.reduce, spp.merge
    return sppf.train(spp.training)

"""Convolution, BatchNorm, activation: what YOLOv5, RepYOLO and ESNet are made of."""

from collections.abc import Callable

from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval


class ConvNormAct(nn.Module):
    """A convolution without bias, BatchNorm and an activation: float [N, C, H, W] -> [N, out_channels, H', W'].

    `padding` defaults to half the kernel, which keeps H and W at stride 1.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int = 1,
        stride: int = 1,
        *,
        padding: int | None = None,
        groups: int = 1,
        activation: Callable[[], nn.Module] = nn.Identity,
    ) -> None:
        super().__init__()
        padding = kernel_size // 2 if padding is None else padding
        self.conv = nn.Conv2d(in_channels, out_channels, kernel_size, stride, padding, groups=groups, bias=False)
        self.bn = nn.BatchNorm2d(out_channels)
        self.act = activation()

    def forward(self, features: Tensor) -> Tensor:
        """Convolve, normalise, activate."""
        return self.act(self.bn(self.conv(features)))

    def reparameterize(self) -> None:
        """Fuse BatchNorm into the convolution, which gains a bias; timm's `reparameterize_model` calls this.

        Only in evaluation mode: it is BatchNorm's running statistics that are fused, with its own epsilon.
        """
        if isinstance(self.bn, nn.BatchNorm2d):
            self.conv = fuse_conv_bn_eval(self.conv, self.bn)
            self.bn = nn.Identity()


def separable(
    in_channels: int, out_channels: int, stride: int = 1, activation: Callable[[], nn.Module] = nn.Hardswish
) -> nn.Sequential:
    """A depthwise 5x5 convolution with this stride and a 1x1 convolution, as in PicoDet's neck and head."""
    return nn.Sequential(
        ConvNormAct(in_channels, in_channels, 5, stride, groups=in_channels, activation=activation),
        ConvNormAct(in_channels, out_channels, activation=activation),
    )


def set_batch_norms(network: nn.Module, eps: float, momentum: float) -> None:
    """Give every BatchNorm of `network` this epsilon and momentum."""
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.eps, module.momentum = eps, momentum

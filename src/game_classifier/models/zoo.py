"""Building a network by its name: RepVGG and everything else of timm, SqueezeNet of torchvision."""

import difflib

import timm
import torchvision
from torch import Tensor, nn

from game_classifier.errors import InputError

SQUEEZENETS = ("squeezenet1_0", "squeezenet1_1")  # not in timm


def network_names() -> list[str]:
    """Every name that `build_model` knows, sorted."""
    return sorted([*timm.list_models(), *SQUEEZENETS])


def require_known(name: str) -> None:
    """Raise InputError, with the nearest names, unless `build_model` knows `name`."""
    names = network_names()
    if name in names:
        return
    near = ", ".join(difflib.get_close_matches(name, names, n=3)) or "repvgg_a0, squeezenet1_1"
    raise InputError(f"network {name!r} is not known; near it: {near}, or any name of timm.list_models()")


def build_model(name: str, num_classes: int) -> nn.Module:
    """Return the network in its training form with fresh weights: float [N, 3, H, W] -> logits [N, num_classes]."""
    require_known(name)
    if name in SQUEEZENETS:
        return getattr(torchvision.models, name)(num_classes=num_classes)
    network = timm.create_model(name, num_classes=num_classes)
    if name.startswith("repvgg"):
        avoid_strided_pointwise(network)
        _start_branches_alike(network)
    return network


def build_pretrained(name: str, num_classes: int) -> nn.Module:
    """Return the network with the weights of timm's hub and a fresh head; needs a network connection.

    Raises InputError when there are none for `name`, or when they cannot be had.
    """
    network = build_model(name, num_classes)
    try:
        source = timm.create_model(name, pretrained=True, num_classes=num_classes)
    except Exception as error:  # the hub client raises many types for a missing connection
        raise InputError(
            f"pretrained 'hub': no weights of {name!r} to be had ({next(iter(str(error).splitlines()), '')[:120]});"
            " download them elsewhere and name the file by weights_path"
        ) from None
    network.load_state_dict(source.state_dict())
    return network


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


def parameter_count(network: nn.Module) -> int:
    """Number of trainable values."""
    return sum(parameter.numel() for parameter in network.parameters())

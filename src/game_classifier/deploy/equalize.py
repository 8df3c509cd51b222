"""Evening out the channels of a folded network, so that INT8 loses less.

Folding leaves some channels of a layer with far larger values than others, and INT8 has one scale for all channels of a
layer's output. A ReLU commutes with a positive factor: a channel divided by it before the ReLU, and multiplied by it in
the next convolution, changes nothing in real numbers. Source: Nagel et al., "Data-Free Quantization Through Weight
Equalization and Bias Correction", 2019, section 4.1; the ranges of real activations as in Xiao et al., "SmoothQuant",
2023, equation 4.
"""

import copy
from collections.abc import Iterator

import torch
from torch import Tensor, fx, nn

MOST = 100.0  # a factor lies between 1 / MOST and MOST: a channel that is hardly ever on needs none beyond


def equalize(network: nn.Module, pixels: Tensor) -> tuple[nn.Module, int]:
    """(A copy of a folded network that computes the same, how many layers of it were evened out).

    `pixels` float32 [N, 3, H, W] are inputs that show how large each channel gets. Layers are pairs of convolutions
    with nothing but a ReLU between them; a network without such pairs, or one that cannot be traced, is only copied.
    """
    network = copy.deepcopy(network).eval()
    try:
        graph = fx.symbolic_trace(network).graph
    except Exception:  # the tracer raises many types for code that depends on values
        return network, 0
    modules = dict(network.named_modules())
    pairs = list(_pairs(graph, modules))
    ranges = _activation_ranges([activation for _, activation, _ in pairs], network, pixels)
    with torch.no_grad():
        for (before, _, after), range_ in zip(pairs, ranges, strict=True):
            weights = torch.stack([each.weight.abs().amax(dim=(0, 2, 3)) for each in after]).amax(dim=0)
            on = (range_ > 0) & (weights > 0)
            factor = torch.where(on, (range_ / weights).sqrt(), torch.ones_like(range_))
            factor = torch.where(on, factor / factor[on].log().mean().exp(), factor).clamp(1 / MOST, MOST)
            before.weight /= factor.reshape(-1, 1, 1, 1)
            if before.bias is not None:
                before.bias /= factor
            for each in after:
                each.weight *= factor.reshape(1, -1, 1, 1)
    return network, len(pairs)


def _pairs(graph: fx.Graph, modules: dict[str, nn.Module]) -> Iterator[tuple[nn.Conv2d, nn.Module, list[nn.Conv2d]]]:
    """Each convolution whose outputs go through a ReLU into other convolutions alone: (it, the ReLU, the others)."""
    for node in list(graph.nodes):
        if _is(node, nn.Identity, modules):
            node.replace_all_uses_with(node.args[0])
            graph.erase_node(node)
    for node in graph.nodes:
        activation = _only_user(node)
        if not (_is(node, nn.Conv2d, modules) and activation and _is(activation, nn.ReLU | nn.LeakyReLU, modules)):
            continue
        users = list(activation.users)
        if users and all(_is(user, nn.Conv2d, modules) and modules[user.target].groups == 1 for user in users):
            yield modules[node.target], modules[activation.target], [modules[user.target] for user in users]


def _only_user(node: fx.Node) -> fx.Node | None:
    return next(iter(node.users)) if len(node.users) == 1 else None


def _is(node: fx.Node, kind: type, modules: dict[str, nn.Module]) -> bool:
    return node.op == "call_module" and isinstance(modules[node.target], kind)


def _activation_ranges(activations: list[nn.Module], network: nn.Module, pixels: Tensor) -> list[Tensor]:
    """The largest value of each channel behind each activation, float32 [C]."""
    largest: dict[nn.Module, Tensor] = {}

    def keep(module: nn.Module, _: tuple[Tensor, ...], output: Tensor) -> None:
        values = output.abs().amax(dim=(0, 2, 3))
        largest[module] = torch.maximum(largest[module], values) if module in largest else values

    hooks = [activation.register_forward_hook(keep) for activation in activations]
    try:
        with torch.inference_mode():
            for batch in pixels.split(32):
                network(batch)
    finally:
        for hook in hooks:
            hook.remove()
    return [largest[activation].clone() for activation in activations]

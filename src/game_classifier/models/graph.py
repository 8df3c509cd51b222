"""A module as the graph of torch's operators that it runs, for a picture of it."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, fx, nn

WORDS = {"batch_norm": "BatchNorm", "add": "+", "silu": "SiLU", "relu": "ReLU", "leaky_relu": "LeakyReLU"}


@dataclass(frozen=True)
class Node:
    """The input of a graph, or an operator in it."""

    words: str
    sources: tuple[int, ...]  # the nodes whose results it takes, by their place in the graph; weights are not nodes


Graph = Sequence[Node]


def graph_of(module: nn.Module, example: Tensor) -> list[Node]:
    """The operators that run in `module`, which takes one tensor like `example`, after a node for that tensor."""
    exported = torch.export.export(module, (example,))
    places = dict.fromkeys(exported.graph_signature.user_inputs, 0)
    nodes = [Node("input", ())]
    for node in exported.graph.nodes:
        if node.op == "call_function":
            sources = tuple(places[each.name] for each in node.all_input_nodes if each.name in places)
            places[node.name] = len(nodes)
            nodes.append(Node(_words(node), sources))
    return nodes


def _words(node: fx.Node) -> str:
    name = str(getattr(node.target, "overloadpacket", node.target.__name__)).rpartition(".")[2].rstrip("_")
    if name != "conv2d":
        return WORDS.get(name, name)
    features, weight = node.args[:2]
    out_channels, _, height, width = weight.meta["val"].shape
    bias = " + bias" if len(node.args) > 2 and node.args[2] is not None else ""
    return f"{height}×{width} conv {features.meta['val'].shape[1]}→{out_channels}{bias}"


def folded_block(trained: nn.Module, folded: nn.Module, pixels: Tensor) -> tuple[str, Graph, Graph] | None:
    """The block with the most operators among those that fold into one convolution: (name, before, after).

    Both networks take `pixels` and are in evaluation mode. None if there is no such block.
    """
    after = dict(folded.named_modules())
    blocks = {name: block for name, block in trained.named_modules() if hasattr(after.get(name), "reparam_conv")}
    if not blocks:
        return None
    # The block with the most layers runs the most operators.
    name = max(blocks, key=lambda name: len(list(blocks[name].modules())))
    inputs: list[Tensor] = []
    hook = blocks[name].register_forward_pre_hook(lambda block, given: inputs.extend(given))
    with torch.no_grad():
        trained(pixels)
    hook.remove()
    return name, graph_of(blocks[name], inputs[0]), graph_of(after[name], inputs[0])

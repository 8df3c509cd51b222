"""The cost of a network: parameters, operators, and multiply-adds for one frame, in training and deployed form."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from game_classifier.models.fold import fold
from game_classifier.models.zoo import NETWORKS, build_model, parameter_count

COST_HEADER = ["Network", "Source", "Input", "Parameters", "Deployed", "MACs", "Deployed"]


@dataclass(frozen=True)
class Cost:
    """The cost of one form of a network."""

    parameters: int  # trainable values
    macs: int  # multiply-adds of one frame

    def __str__(self) -> str:
        return f"{self.parameters:,} parameters, {self.macs:,} MACs"


def cost(network: nn.Module, height: int, width: int | None = None, channels: int = 3) -> Cost:
    """Count for one frame of `height` x `width` pixels, or a square one, whatever device the network is on.

    Multiply-adds are those of convolutions and matrix products, half of their floating-point operations; biases,
    BatchNorm, activations and pooling are not counted, as in the papers.
    """
    parameter = next(network.parameters())
    pixels = torch.zeros(1, channels, height, width or height, device=parameter.device, dtype=parameter.dtype)
    training = network.training
    counter = FlopCounterMode(display=False)
    with torch.no_grad(), counter:
        network.eval()(pixels)
    network.train(training)
    return Cost(parameter_count(network), counter.get_total_flops() // 2)


def operators(network: nn.Module, height: int, width: int | None = None, channels: int = 3) -> Counter[str]:
    """How often each of torch's operators runs, such as conv2d."""
    graph = torch.export.export(network, (torch.zeros(2, channels, height, width or height),)).graph
    # Python's getitem, as after a split, is among the calls too.
    called = [node.target for node in graph.nodes if isinstance(node.target, torch._ops.OpOverload)]
    # aten.conv2d.default -> conv2d; an operator in place, such as relu_, is the same operator.
    names = [str(operator).split(".")[1].rstrip("_") for operator in called]
    # Dropout does nothing here, and an assertion is torch.export's own.
    return Counter(name for name in names if name != "dropout" and not name.startswith("_assert"))


def costs_of_forms(name: str, num_classes: int, size: int) -> tuple[Cost, Cost]:
    """The costs of the training form and the deployed form, without memory or time for any weights."""
    with torch.device("meta"):
        network = build_model(name, num_classes)
        folded = fold(network)
    return cost(network, size), cost(folded, size)


def cost_rows() -> Iterator[list[str]]:
    """A row below COST_HEADER for each network of the zoo, with as many classes as its published figures are for."""
    for name, architecture in NETWORKS.items():
        trained, deployed = costs_of_forms(name, architecture.num_classes, architecture.input_size)
        yield [
            name,
            architecture.source,
            str(architecture.input_size),
            f"{trained.parameters:,}",
            f"{deployed.parameters:,}",
            _millions(trained.macs),
            _millions(deployed.macs),
        ]


def _millions(number: int) -> str:
    return f"{number / 1e6:,.1f} M"

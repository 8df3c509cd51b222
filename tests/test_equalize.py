"""Evening out channels for INT8: the same answers, channels that are alike."""

import pytest
import torch
from torch import nn

from game_classifier.deploy.equalize import MOST, equalize
from game_classifier.models.fold import fold
from game_classifier.models.zoo import build_model


def uneven(name: str) -> nn.Module:
    """A folded network whose channels differ by more than a hundred times."""
    torch.manual_seed(0)
    network = build_model(name, 5)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.1, 0.5)
            nn.init.normal_(module.bias)
            module.weight.data[::3] *= 30
            module.running_mean.normal_()
            module.running_var.uniform_(0.3, 3)
    return fold(network)


def spread(network: nn.Module, pixels: torch.Tensor) -> float:
    """Largest over median channel behind a ReLU, in the layer where that is most."""
    found = []

    def look(module, _, output):
        largest = output.abs().amax(dim=(0, 2, 3))
        on = largest[largest > 0]
        found.append(float(on.max() / on.median()))

    hooks = [module.register_forward_hook(look) for module in network.modules() if isinstance(module, nn.ReLU)]
    with torch.inference_mode():
        network(pixels)
    for hook in hooks:
        hook.remove()
    return max(found)


@pytest.mark.parametrize(("name", "pairs"), [("repvgg_tiny", 6), ("repvgg_a0", 21), ("squeezenet1_1", 8)])
def test_an_equalized_network_answers_the_same(name, pairs):
    network, pixels = uneven(name), torch.randn(4, 3, 64, 64)
    even, count = equalize(network, pixels)
    assert count == pairs
    with torch.inference_mode():
        expected, answers = network(pixels), even(pixels)
    assert torch.allclose(answers, expected, rtol=1e-4, atol=1e-4 * expected.abs().max())
    changed = [key for key, value in even.state_dict().items() if not torch.equal(value, network.state_dict()[key])]
    assert len(changed) > pairs


def test_channels_are_alike_afterwards():
    network, pixels = uneven("repvgg_tiny"), torch.randn(8, 3, 64, 64)
    before, after = spread(network, pixels), spread(equalize(network, pixels)[0], pixels)
    assert after < before / 3


def test_a_channel_that_is_never_on_stays():
    """Its range of 0 must neither make its weights infinite nor count for the others."""
    network, pixels = uneven("repvgg_tiny"), torch.randn(4, 3, 64, 64)
    with torch.no_grad():
        first = next(module for module in network.modules() if isinstance(module, nn.Conv2d))
        first.weight[2] = 0
        first.bias[2] = -1
    even, _ = equalize(network, pixels)
    assert all(value.isfinite().all() for value in even.state_dict().values())
    mended = next(module for module in even.modules() if isinstance(module, nn.Conv2d))
    assert mended.bias[2] == -1
    ratio = (first.weight / mended.weight).nan_to_num(1)
    assert ratio.max() <= MOST * 1.001
    assert ratio.min() >= 0.999 / MOST


class Branching(nn.Module):
    """A tracer cannot follow it."""

    def __init__(self) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(3, 4, 3)

    def forward(self, pixels):
        return self.convolution(pixels) if pixels.sum() > 0 else self.convolution(-pixels)


class Adding(nn.Module):
    """What a ReLU gives goes elsewhere too, so its channels may not change."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.relu, self.second = nn.Conv2d(3, 4, 1), nn.ReLU(), nn.Conv2d(4, 4, 1)

    def forward(self, pixels):
        features = self.relu(self.first(pixels))
        return features + self.second(features)


@pytest.mark.parametrize("network", [Branching(), Adding()])
def test_a_network_without_pairs_is_only_copied(network):
    even, count = equalize(network, torch.randn(2, 3, 8, 8))
    assert count == 0
    assert all(torch.equal(value, network.state_dict()[key]) for key, value in even.state_dict().items())

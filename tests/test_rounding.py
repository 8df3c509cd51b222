"""Rounding weights to the INT8 grid: on the grid, the largest weight kept, outputs on real inputs kept."""

import pytest
import torch
from test_equalize import uneven
from torch import Tensor, nn
from torch.nn import functional as F

from game_classifier.deploy.rounding import DAMPING, STEPS, _round, round_weights


def correlated(count: int, size: int) -> Tensor:
    """Inputs as layers have them: positive, and neighbours alike."""
    torch.manual_seed(0)
    return (torch.randn(count, 3).double() @ torch.randn(3, size).double() + 0.3 * torch.randn(count, size)).relu()


def nearest(weights: Tensor) -> Tensor:
    step = weights.abs().amax(dim=1, keepdim=True) / STEPS
    return (weights / step).round() * step


def by_the_book(weights: Tensor, covariance: Tensor) -> Tensor:
    """One weight after the other, with the inverse of what is left computed again: equation 2 of the paper."""
    size = len(covariance)
    covariance = covariance + DAMPING * covariance.diagonal().mean() * torch.eye(size).double()
    step, column = (each / by for each, by in zip(weights.abs().max(dim=1), (STEPS, 1), strict=True))
    left, rounded = weights.clone(), torch.zeros_like(weights)
    for k in range(size):
        inverse = torch.linalg.inv(covariance[k:, k:])
        rounded[:, k] = (left[:, k] / step).round().clamp(-STEPS, STEPS) * step
        rounded[:, k] = torch.where(column == k, weights[:, k], rounded[:, k])
        left[:, k:] -= ((left[:, k] - rounded[:, k]) / inverse[0, 0])[:, None] * inverse[0]
    return rounded


def test_it_rounds_as_the_paper_does():
    inputs, weights = correlated(500, 40), torch.randn(6, 40).double()
    covariance = inputs.T @ inputs
    assert torch.allclose(_round(weights, covariance), by_the_book(weights, covariance), atol=1e-9)


@pytest.mark.parametrize("size", [40, 300])  # less and more than a block
def test_outputs_stay_nearer_than_with_each_weight_rounded_to_the_nearest(size):
    inputs, weights = correlated(2000, size), torch.randn(16, size).double()
    rounded = _round(weights, inputs.T @ inputs)
    step = weights.abs().amax(dim=1, keepdim=True) / STEPS
    assert torch.allclose((rounded / step).round(), rounded / step, atol=1e-6)
    assert torch.allclose(rounded.abs().amax(dim=1), weights.abs().amax(dim=1))
    ours, plain = (((inputs @ (each - weights).T) ** 2).mean() for each in (rounded, nearest(weights)))
    assert ours < plain / 4


def test_a_row_of_zeros_and_inputs_that_are_never_on_stay():
    inputs, weights = correlated(500, 20), torch.randn(3, 20).double()
    inputs[:, 4], weights[1] = 0, 0
    rounded = _round(weights, inputs.T @ inputs)
    assert rounded.isfinite().all()
    assert not rounded[1].any()
    assert _round(weights, torch.zeros(20, 20).double()).isfinite().all()


def grouped() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Conv2d(8, 8, 3, groups=4), nn.ReLU(), nn.Conv2d(8, 6, 3), nn.Flatten()
    ).eval()


@pytest.mark.parametrize("make", [lambda: uneven("repvgg_tiny"), lambda: uneven("squeezenet1_1"), grouped])
def test_a_network_keeps_its_answers_its_first_and_its_grouped_convolutions(make):
    network, pixels = make(), torch.randn(16, 3, 64, 64)
    rounded = round_weights(network, pixels)
    before, after = (
        [module for module in each.modules() if isinstance(module, nn.Conv2d)] for each in (network, rounded)
    )
    for number, (old, new) in enumerate(zip(before, after, strict=True)):
        same = torch.equal(old.weight, new.weight)
        assert same == (number == 0 or old.groups > 1), number
        assert torch.equal(old.bias, new.bias)
    with torch.inference_mode():
        expected, answers = network(pixels), rounded(pixels)
        for old in before[1:]:
            if old.groups == 1:
                old.weight.data = nearest(old.weight.detach().flatten(1)).reshape(old.weight.shape)
        plain = network(pixels)
    assert F.mse_loss(answers, expected) < F.mse_loss(plain, expected)

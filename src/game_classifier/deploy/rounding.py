"""Rounding the weights of convolutions to the grid of INT8 so that their outputs on real frames stay.

Rounding each weight to the nearest step adds up: the hundreds of products in one output err together. Here the error of
a weight is made up for by those that are rounded after it, as far as the layer's inputs allow. Source: Frantar et al.,
"GPTQ: Accurate Post-Training Quantization for Generative Pre-trained Transformers", 2023, algorithm 1.
"""

import copy
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

STEPS = 127  # the grid of a channel: -127 to 127 times its largest weight / 127, as OpenVINO's INT8 has it
POSITIONS = 32  # of each frame that a layer's inputs are sampled at
DAMPING = 0.01  # added to the inputs' covariance, as a share of its mean diagonal: keeps it invertible
BLOCK = 128  # weights whose errors are gathered before the others are changed: speed only
BATCH = 32
BATCH_PIXELS = BATCH * 224**2  # of larger frames fewer go together: what a kernel sees takes 9 times a layer's inputs


def round_weights(network: nn.Module, pixels: Tensor) -> nn.Module:
    """A copy of a folded network whose convolutions have weights on the INT8 grid of each output channel.

    `pixels` float32 [N, 3, H, W] are inputs of the network. The first convolution, which stays in floating point, and
    grouped ones are left alone.
    """
    network = copy.deepcopy(network).eval()
    convolutions = [module for module in network.modules() if isinstance(module, nn.Conv2d)][1:]
    convolutions = [module for module in convolutions if module.groups == 1]
    for convolution, covariance in zip(convolutions, _covariances(network, convolutions, pixels), strict=True):
        weight = convolution.weight
        rounded = _round(weight.detach().flatten(1).double(), covariance.double())
        weight.data = rounded.reshape(weight.shape).to(weight)
    return network


def _covariances(network: nn.Module, convolutions: Sequence[nn.Conv2d], pixels: Tensor) -> list[Tensor]:
    """X^T X of each convolution's inputs: float32 [K, K] with K = input channels * kernel height * kernel width."""
    sums: dict[nn.Module, Tensor] = {}
    generator = torch.Generator().manual_seed(0)

    def look(module: nn.Conv2d, inputs: tuple[Tensor, ...]) -> None:
        # [n, K, places]: what the kernel sees at each place
        seen = F.unfold(inputs[0], module.kernel_size, module.dilation, module.padding, module.stride)
        places = torch.randperm(seen.shape[2], generator=generator)[:POSITIONS]
        samples = seen[:, :, places].transpose(1, 2).flatten(0, 1)
        sums[module] = sums.get(module, 0) + samples.T @ samples

    hooks = [convolution.register_forward_pre_hook(look) for convolution in convolutions]
    try:
        with torch.no_grad():
            for batch in pixels.split(min(BATCH, max(1, BATCH_PIXELS // pixels[0, 0].numel()))):
                network(batch)
    finally:
        for hook in hooks:
            hook.remove()
    return [sums[convolution] for convolution in convolutions]


def _round(weights: Tensor, covariance: Tensor) -> Tensor:
    """Weights float64 [O, K] on the grid of each row, for inputs with this covariance float64 [K, K].

    The largest weight of a row stays, since the step is made of it again when the network is quantized.
    """
    size = len(covariance)
    covariance = covariance + DAMPING * covariance.diagonal().mean().clamp(min=1e-12) * torch.eye(size).double()
    inverse = torch.cholesky_inverse(torch.linalg.cholesky(covariance))
    factor = torch.linalg.cholesky(inverse, upper=True)
    largest, column = weights.abs().max(dim=1)
    step = largest.clamp(min=1e-30) / STEPS
    signs = weights.gather(1, column[:, None])[:, 0].sign()
    weights, rounded = weights.clone(), torch.zeros_like(weights)
    for start in range(0, size, BLOCK):
        end = min(size, start + BLOCK)
        errors = torch.zeros(len(weights), end - start).double()
        for k in range(start, end):
            nearest = (weights[:, k] / step).round().clamp(-STEPS, STEPS)
            rounded[:, k] = torch.where(column == k, STEPS * signs, nearest) * step
            errors[:, k - start] = (weights[:, k] - rounded[:, k]) / factor[k, k]
            weights[:, k:end] -= errors[:, k - start, None] * factor[k, k:end]
        weights[:, end:] -= errors @ factor[start:end, end:]
    return rounded

"""The order in which an epoch goes through the training list."""

import math

import numpy as np
import torch


def shuffled_passes(length: int, count: int, generator: torch.Generator) -> np.ndarray:
    """`count` rows of a list of `length`, int64: the list as often as needed, each time in another random order."""
    passes = [torch.randperm(length, generator=generator) for _ in range(math.ceil(count / length))]
    return torch.cat(passes).numpy()[:count]

"""What changes while a training goes on: the learning rate and the size of its frames."""

import math
from collections.abc import Sequence


def learning_rate(step: int, steps: int, peak: float, warmup: float) -> float:
    """Rate of step 0..steps-1: linear up to `peak` over the share `warmup`, then half a cosine towards 0."""
    rising = warmup * steps
    if step < rising:
        return peak * (step + 1) / (math.ceil(rising) + 1)
    return peak * 0.5 * (1 + math.cos(math.pi * (step - rising) / (steps - rising)))


def frame_size(epoch: int, epochs: int, shares: Sequence[float], height: int, width: int) -> tuple[int, int]:
    """(height, width) of training frames in epoch 0..epochs-1: the shares in equal parts, multiples of 16.

    Small frames first cost less and teach the coarse differences; the last share should be 1, the size
    that validation and deployment use.
    """
    share = shares[epoch * len(shares) // epochs]
    return max(32, round(height * share / 16) * 16), max(32, round(width * share / 16) * 16)

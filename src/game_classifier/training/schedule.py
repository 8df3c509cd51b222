"""Values that change during a training: the learning rate, the size of the frames, the seed of each step."""

import math
from collections.abc import Sequence

import numpy as np

FIRST_OF_PEAK = 25  # a one-cycle schedule starts at this part of its peak, as torch's OneCycleLR does


def learning_rate(step: int, steps: int, peak: float, warmup: float, schedule: str = "cosine") -> float:
    """Rate of step 0..steps-1: up to `peak` over the share `warmup`, then half a cosine towards 0.

    It rises along a line ("cosine"), or along half a cosine from a 25th of the peak ("one_cycle": Smith and
    Topin, "Super-Convergence", 2018; meant for a longer `warmup` and a higher peak).
    """
    rising = warmup * steps
    if step >= rising:
        return peak * 0.5 * (1 + math.cos(math.pi * (step - rising) / (steps - rising)))
    if schedule == "one_cycle":
        first = peak / FIRST_OF_PEAK
        return first + (peak - first) * 0.5 * (1 - math.cos(math.pi * step / rising))
    return peak * (step + 1) / (math.ceil(rising) + 1)


def frame_size(epoch: int, epochs: int, shares: Sequence[float], height: int, width: int) -> tuple[int, int]:
    """(height, width) of training frames in epoch 0..epochs-1: the shares in equal parts, multiples of 16.

    Small frames first cost less and teach the coarse differences; the last share should be 1, the size
    that validation and deployment use.
    """
    share = shares[epoch * len(shares) // epochs]
    return max(32, round(height * share / 16) * 16), max(32, round(width * share / 16) * 16)


def seed_of(*numbers: int) -> int:
    """One seed of several numbers, as random as they are different: seed, step, process."""
    entropy = [len(numbers), *(number % 2**32 for number in numbers)]  # alone, zeros at the end would not count
    return int(np.random.SeedSequence(entropy).generate_state(1, np.uint64)[0] >> 1)

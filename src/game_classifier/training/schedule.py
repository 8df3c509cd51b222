"""How long a training is, and what changes in it: learning rate, size of the frames, seed of each step."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from game_classifier.config import Config

LEAST_CLASSES = 32  # a data set with fewer is trained as long as one with so many
FIRST_OF_PEAK = 25  # a one-cycle schedule starts at this part of its peak, as torch's OneCycleLR does


@dataclass(frozen=True)
class Length:
    """How long a training is."""

    epochs: int
    steps: int  # of each epoch


def training_length(
    frames: int, classes: int, frames_a_step: int, min_steps: int, epochs: int | None, views_per_class: int | None
) -> Length:
    """`epochs` passes over a list of `frames`, or as many as show about `views_per_class` frames of each class.

    An epoch has at least `min_steps` steps. An incomplete last step is left out.
    """
    steps = max(min_steps, frames // frames_a_step)
    if epochs is None:
        epochs = max(1, round(views_per_class * max(classes, LEAST_CLASSES) / (steps * frames_a_step)))
    return Length(epochs, steps)


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


def frame_size(step: int, steps: int, shares: Sequence[float], height: int, width: int) -> tuple[int, int]:
    """(height, width) of training frames in step 0..steps-1: the shares in equal parts.

    Small frames first cost less and teach the coarse differences; their sides are multiples of 16. The last share
    should be 1: exactly the size that validation and deployment use.
    """
    share = shares[step * len(shares) // steps]
    if share == 1:
        return height, width
    return max(32, round(height * share / 16) * 16), max(32, round(width * share / 16) * 16)


def frame_sizes(config: Config) -> list[tuple[int, int]]:
    """Every (height, width) that a training by the recipe uses."""
    shares, preprocessing = config.train_sizes, config.preprocessing()
    sides = preprocessing.height, preprocessing.width
    return [frame_size(step, len(shares), shares, *sides) for step in range(len(shares))]


def seed_of(*numbers: int) -> int:
    """One seed of several numbers, as random as they are different: seed, step, process."""
    entropy = [len(numbers), *(number % 2**32 for number in numbers)]  # alone, zeros at the end would not count
    return int(np.random.SeedSequence(entropy).generate_state(1, np.uint64)[0] >> 1)

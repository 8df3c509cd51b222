"""Probabilities that can be believed: the temperature by which a classifier's logits are divided.

A network that was trained with smoothed labels on changed frames says 83% where it is right 95% of the time. One number
mends that, and changes no answer. Source: Guo et al., "On Calibration of Modern Neural Networks", 2017, section 4.2.
"""

from collections.abc import Callable

import numpy as np
import torch
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax, softmax

from game_classifier.frames.augment import half_in_streams
from game_classifier.frames.decode import Preprocessing
from game_classifier.frames.loader import FrameReader, load_batches
from game_classifier.lists.filelist import FileList
from game_classifier.scoring.calibration import Calibration
from game_classifier.tasks.task import Adjustment

LEAST_FRAMES = 100  # with fewer, one wrong answer more or less would decide
MOST_FRAMES = 4096  # bounds the time, however long the list is
LOWEST, HIGHEST = 0.1, 10.0  # temperatures searched


def fit_temperature(logits: np.ndarray, labels: np.ndarray) -> float:
    """The temperature under which `labels` int [N] are likeliest, of logits float [N, C].

    The true class counts as (N + 1) / (N + 2) and the others as the rest, after Platt, "Probabilistic Outputs for
    Support Vector Machines", 1999, section 2.2: without a single wrong answer the likeliest temperature would be 0.
    """
    count, classes = logits.shape
    rest = 1 / (count + 2)
    targets = np.full((count, classes), rest / max(1, classes - 1))
    targets[np.arange(count), labels] = 1 - rest

    def loss(logarithm: float) -> float:
        return -float((targets * log_softmax(logits / np.exp(logarithm), axis=1)).sum()) / count

    found = minimize_scalar(loss, bounds=(np.log(LOWEST), np.log(HIGHEST)), method="bounded")
    return float(np.exp(found.x))


def calibrate(
    outputs: Callable[[np.ndarray], np.ndarray],
    frames: FileList,
    preprocessing: Preprocessing,
    batch_size: int,
    threads: int,
    seed: int,
    cache: FrameReader | None,
) -> Adjustment:
    """Fit on a validation list, a random half of which is put into the layout of a stream."""
    rows = np.flatnonzero(frames.labels >= 0)
    rows = np.random.default_rng(seed).permutation(rows)[:MOST_FRAMES]
    parts = []
    generator = torch.Generator().manual_seed(seed)
    for batch in load_batches(frames.paths, rows, preprocessing, batch_size, threads, cache):
        good = batch.readable()
        if len(good.rows):
            parts.append((outputs(half_in_streams(good.frames, generator)), frames.labels[good.rows]))
    count = sum(len(labels) for _, labels in parts)
    if count < LEAST_FRAMES:
        return Adjustment(
            1.0, f"the probabilities are not calibrated: {count} validation frames, {LEAST_FRAMES} needed"
        )
    logits, labels = (np.concatenate(part) for part in zip(*parts, strict=True))
    temperature = fit_temperature(logits.astype(np.float64), labels)
    before, after = (_error(logits / divisor, labels) for divisor in (1, temperature))
    return Adjustment(
        temperature,
        f"temperature {temperature:.3f}: the expected calibration error changes from {100 * before:.1f}% to"
        f" {100 * after:.1f}% on {count} validation frames, half of them in stream layouts",
    )


def _error(logits: np.ndarray, labels: np.ndarray) -> float:
    """Expected calibration error, 0..1."""
    probabilities = softmax(logits, axis=1)
    calibration = Calibration()
    calibration.add(probabilities.max(axis=1), probabilities.argmax(axis=1) == labels)
    return calibration.error()

"""The frames that the `known` score is fitted on, as the last features of the trained network.

Known frames are training frames; outliers are made up, and those of the data set's background list. They are seen plain
and in stream layouts. What the score is judged on is held out: validation frames, and a fifth of the outliers.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from game_classifier.frames.augment import half_in_streams, in_streams
from game_classifier.frames.decode import Preprocessing
from game_classifier.frames.loader import FrameReader, load_batches
from game_classifier.frames.outliers import KINDS, make_outliers
from game_classifier.lists.filelist import FileList
from game_classifier.models.fold import InBFloat16
from game_classifier.models.frame_network import FrameNetwork
from game_classifier.models.zoo import classifier_names

# Bounds of the time. Training frames are seen in a stream layout, every other one plain too: layouts vary more.
TRAINING_FRAMES = 3000
MADE_UP = 300 * len(KINDS)  # half of each kind in stream layouts
BACKGROUND_FRAMES = 2000  # seen both ways
VALIDATION_FRAMES = 4096
GAMES = 256  # frames that outliers are made of
BLOCKS = 10  # of the outliers, in their order; two of them are held out, so that neighbours stay together

Features = Callable[[np.ndarray], np.ndarray]  # uint8 [n, H, W, 3] -> float32 [n, D]


@dataclass(frozen=True)
class Reading:
    """How frames are read."""

    preprocessing: Preprocessing
    batch_size: int
    threads: int

    def batches(
        self, frames: FileList, most: int, cache: FrameReader | None = None
    ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """(Rows, pixels uint8 [n, H, W, 3]) of up to `most` frames of a list, evenly spaced, that can be read."""
        rows = np.unique(np.linspace(0, len(frames) - 1, min(most, len(frames))).round().astype(np.int64))
        for batch in load_batches(frames.paths, rows, self.preprocessing, self.batch_size, self.threads, cache):
            good = batch.readable()
            if len(good.rows):
                yield good.rows, good.frames


@dataclass(frozen=True)
class Evidence:
    """Last features float32 [n, D] of frames of each sort."""

    known: np.ndarray  # of training frames
    labels: np.ndarray  # int [n], their classes
    outliers: np.ndarray
    held_out_known: np.ndarray  # of validation frames
    held_out_outliers: np.ndarray


def last_features(network: FrameNetwork) -> Features | None:
    """What the network's classifier gets for a frame; None if it has no single classifier over a vector or a map.

    Of a map, the mean over its places is taken, as models/known.py does.
    """
    inner = network.network.network if isinstance(network.network, InBFloat16) else network.network
    try:
        (classifier,) = (inner.get_submodule(name) for name in classifier_names(inner))
    except (ValueError, AttributeError):  # several classifiers, or one that folding has changed
        return None
    if not isinstance(classifier, nn.Linear | nn.Conv2d):
        return None
    seen: list[Tensor] = []

    def features(frames: np.ndarray) -> np.ndarray:
        hook = classifier.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
        try:
            network.infer(frames)
        finally:
            hook.remove()
        values = seen.pop()
        return (values.mean(dim=(2, 3)) if values.ndim == 4 else values).float().cpu().numpy()

    return features


def gather(
    features: Features,
    exact_features: Features,
    training: tuple[FileList, FrameReader | None],
    validation: tuple[FileList, FrameReader | None],
    background: FileList | None,
    reading: Reading,
    seed: int,
) -> Evidence:
    """Read and make the frames, and take their features; lists come with the caches of their first rows.

    Validation frames get `exact_features`, those of the network as it is deployed; the others may get quicker ones.
    """
    generator = torch.Generator().manual_seed(seed)
    rows, known, games = [], [], []
    for batch_rows, frames in reading.batches(training[0], TRAINING_FRAMES, training[1]):
        known += [features(frames[::2]), features(in_streams(frames, generator))]
        rows += [batch_rows[::2], batch_rows]
        games.append(frames[:: max(1, TRAINING_FRAMES // GAMES)])
    validated = [
        exact_features(half_in_streams(frames, generator))
        for _, frames in reading.batches(validation[0], VALIDATION_FRAMES, validation[1])
    ]
    made = _made_up(np.concatenate(games), np.random.default_rng(seed), generator)
    outliers = [_features_of(features, made)]
    if background:
        outliers.append(_features_of(features, _both_ways(background, reading, generator)))
    apart = np.concatenate([_is_held_out(len(each)) for each in outliers])
    every = np.concatenate([each for each in outliers if len(each)])
    return Evidence(
        np.concatenate(known),
        training[0].labels[np.concatenate(rows)],
        every[~apart],
        np.concatenate(validated),
        every[apart],
    )


def _made_up(games: np.ndarray, random: np.random.Generator, generator: torch.Generator) -> Iterator[np.ndarray]:
    """MADE_UP outliers of frames of games, in batches uint8 [n, H, W, 3]; half of each kind are in stream layouts."""
    half = 2 * len(KINDS)
    for _ in range(0, MADE_UP, 2 * half):
        frames = make_outliers(games, 2 * half, random)
        frames[half:] = in_streams(frames[half:], generator)
        yield frames


def _both_ways(background: FileList, reading: Reading, generator: torch.Generator) -> Iterator[np.ndarray]:
    """Background frames in batches uint8 [n, H, W, 3], each frame plain and in a stream layout."""
    for _, frames in reading.batches(background, BACKGROUND_FRAMES):
        yield np.stack([frames, in_streams(frames, generator)], axis=1).reshape(-1, *frames.shape[1:])


def _features_of(features: Features, batches: Iterator[np.ndarray]) -> np.ndarray:
    parts = [features(frames) for frames in batches]
    return np.concatenate(parts) if parts else np.zeros((0, 0), np.float32)


def _is_held_out(count: int) -> np.ndarray:
    """bool [count]."""
    return np.arange(count) * BLOCKS // max(1, count) % (BLOCKS // 2) == BLOCKS // 2 - 1

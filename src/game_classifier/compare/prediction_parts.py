"""Batch prediction and its two parts, decoding and the network, as work to be timed: each call returns its frames."""

import shutil
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch

from game_classifier.errors import InputError
from game_classifier.frames.decode import FrameError, Preprocessing, decode_resized
from game_classifier.lists.filelist import FileList
from game_classifier.predict.predict_list import Predictor
from game_classifier.runtime.runner import Infer, Runner

NETWORK_BATCHES = 10  # of each thread, in a round of the network alone


def end_to_end(predictor: Predictor, frames: FileList, scratch: Path) -> Callable[[], int]:
    """Files in, npy files with their manifest out."""

    def run() -> int:
        save = Path(tempfile.mkdtemp(dir=scratch))
        predictor.predict(frames, save)
        shutil.rmtree(save)
        return len(frames)

    return run


def decoding(frames: FileList, size: Preprocessing, threads: int) -> Callable[[], int]:
    """Read, decode and resize every frame; raises InputError for one that cannot be read."""

    def some(rows: range) -> None:
        for row in rows:
            try:
                decode_resized(frames.read(row), size)
            except FrameError as error:
                raise InputError(
                    f"{frames.source}: {frames.paths[row]} cannot be read ({error}); remove it from the list, because"
                    " other tools stop at such a file"
                ) from None

    return lambda: in_threads(some, [range(first, len(frames), threads) for first in range(threads)], len(frames))


def network_alone(runner: Runner, threads: int, batch_size: int) -> Callable[[], int]:
    """Run the network on decoded frames."""
    size = runner.preprocessing
    batch = np.random.default_rng(0).integers(0, 256, (batch_size, size.height, size.width, 3), dtype=np.uint8)
    workers = runner.workers(threads, batch_size)

    def some(infer: Infer) -> None:
        for _ in range(NETWORK_BATCHES):
            infer(batch)

    return lambda: in_threads(some, workers, NETWORK_BATCHES * batch_size * threads)


def in_threads(work: Callable, parts: list, done: int) -> int:
    """Run `work` on each part in a thread of its own, single-threaded inside; returns `done`."""
    with ThreadPoolExecutor(len(parts), initializer=torch.set_num_threads, initargs=(1,)) as pool:
        list(pool.map(work, parts))
    return done

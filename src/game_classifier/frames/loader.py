"""Batches of frames, read and decoded in threads ahead of the network."""

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch

from game_classifier.frames.decode import FrameError, FrameStatus, Preprocessing, read_frame

BATCHES_AHEAD = 3


class FrameReader(Protocol):
    """The first rows of a list, already decoded."""

    def __len__(self) -> int: ...

    def read(self, row: int) -> np.ndarray:
        """uint8 [H, W, 3]; raises FrameError."""
        ...


@dataclass(frozen=True)
class Batch:
    """Frames of some rows of a list; a frame that could not be read is black and has its status."""

    rows: np.ndarray  # int64 [n], positions in the list
    frames: np.ndarray  # uint8 [n, H, W, 3], RGB
    status: np.ndarray  # uint8 [n], FrameStatus

    def readable(self) -> "Batch":
        """This batch without the frames that could not be read."""
        if not self.status.any():
            return self
        good = self.status == FrameStatus.OK
        return Batch(self.rows[good], self.frames[good], self.status[good])


def load_batches(
    paths: Sequence[str],
    rows: np.ndarray,
    preprocessing: Preprocessing,
    batch_size: int,
    threads: int,
    cache: FrameReader | None = None,
) -> Iterator[Batch]:
    """Yield batches of `paths[row]` for each of `rows`, in that order; the last one may be smaller.

    Rows that `cache` holds are copied from there.

    Threads, not processes: decoding and resizing release Python's lock, pixels are written into the batch
    where they will be used, and memory stays flat, since nothing is copied to workers. Each row's pixels
    depend on its file alone, so neither the batch size nor the number of threads can change them.
    """

    def read_into(batch: Batch, position: int) -> None:
        try:
            row = batch.rows[position]
            known = cache is not None and row < len(cache)
            batch.frames[position] = cache.read(row) if known else read_frame(paths[row], preprocessing)
        except FrameError as error:
            batch.status[position] = error.status

    # A resize of one frame is too small to share between threads of its own.
    pool = ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(1,))
    ahead: deque[tuple[Batch, list[Future[None]]]] = deque()
    try:
        for start in range(0, len(rows), batch_size):
            wanted = rows[start : start + batch_size]
            shape = (len(wanted), preprocessing.height, preprocessing.width, 3)
            batch = Batch(wanted, np.zeros(shape, np.uint8), np.zeros(len(wanted), np.uint8))
            ahead.append((batch, [pool.submit(read_into, batch, i) for i in range(len(wanted))]))
            if len(ahead) > BATCHES_AHEAD:
                yield _finished(*ahead.popleft())
        while ahead:
            yield _finished(*ahead.popleft())
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _finished(batch: Batch, reads: list[Future[None]]) -> Batch:
    for read in reads:
        read.result()
    return batch

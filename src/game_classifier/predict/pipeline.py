"""From files to answers at the machine's limit: each thread reads, decodes and answers batches of its own.

No thread waits for another: there are no queues, and with one thread for each processor all of them always work,
however long decoding and the network take. A batch is always full (its last rows are black where frames are missing)
and runs in one thread, so that a frame's answer depends on the frame alone.
"""

import queue
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from game_classifier.frames.decode import FrameError, Preprocessing, decode_with_size
from game_classifier.lists.filelist import FileList
from game_classifier.runtime.runner import Infer

LEAST_BATCH = 16  # frames that the network gets: torch's 1x1 convolutions add in another order for fewer


@dataclass(frozen=True)
class Answers:
    """The results of the rows start, start + 1, ... of a list."""

    start: int
    status: np.ndarray  # uint8 [n], FrameStatus
    sizes: np.ndarray  # int32 [n, 2], height and width of the pictures in the files; 0 for rows that could not be read
    values: Any  # [n, ...], of the task, an array or a tuple of arrays; meaningless for rows that could not be read


def infer_list(
    frames: FileList,
    preprocessing: Preprocessing,
    workers: list[Infer],
    batch_size: int,
    finish: Callable[[Answers], None],
) -> None:
    """Run every row through one of `workers`, each in a thread of its own; `finish` is called from these threads.

    Each worker holds `batch_size` frames in memory, however long the list is. An error in any of them, or Ctrl-C, stops
    all and is raised here.
    """
    stop = threading.Event()
    starts: queue.SimpleQueue[int] = queue.SimpleQueue()
    for start in range(0, len(frames), batch_size):
        starts.put(start)

    def work(infer: Infer) -> None:
        size = max(batch_size, LEAST_BATCH)
        batch = np.zeros((size, preprocessing.height, preprocessing.width, 3), np.uint8)
        while not stop.is_set():
            try:
                start = starts.get_nowait()
            except queue.Empty:
                return
            status, sizes = _fill(batch, frames, start, min(batch_size, len(frames) - start), preprocessing)
            finish(Answers(start, status, sizes, pick(infer(batch), slice(len(status)))))

    with ThreadPoolExecutor(len(workers), initializer=torch.set_num_threads, initargs=(1,)) as pool:
        try:
            for done in as_completed([pool.submit(work, infer) for infer in workers]):
                done.result()
        finally:
            stop.set()


def pick(values: Any, wanted: slice | np.ndarray) -> Any:
    """The answers of some frames: of an array [n, ...], or of each of a tuple of arrays."""
    return tuple(each[wanted] for each in values) if isinstance(values, tuple) else values[wanted]


def _fill(
    batch: np.ndarray, frames: FileList, start: int, count: int, preprocessing: Preprocessing
) -> tuple[np.ndarray, np.ndarray]:
    """Decode `count` rows from `start` on into `batch`; returns their statuses and sizes. The rest becomes black."""
    status, sizes = np.zeros(count, np.uint8), np.zeros((count, 2), np.int32)
    for position in range(count):
        try:
            batch[position], sizes[position] = decode_with_size(frames.read(start + position), preprocessing)
        except FrameError as error:
            batch[position] = 0
            status[position] = error.status
    batch[count:] = 0
    return status, sizes

"""Frames decoded and resized once, kept in a file that every process maps: training reads them each epoch.

The file's name is the hash of the list's files (their paths, sizes and times) and of the preprocessing, so a cache that
was made from other files is never used. Its layout is the frames uint8 [cached, height, width, 3], then
their statuses uint8 [cached].
"""

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from game_classifier.frames.decode import FrameError, FrameStatus, Preprocessing
from game_classifier.frames.loader import load_batches
from game_classifier.storage import replacing

LAYOUT = 1  # increase it when a change of decode.py gives other pixels
SUFFIX = ".frames"
ROWS_AT_A_TIME = 64


@dataclass(frozen=True)
class FrameCache:
    """The first frames of a list, as many as the budget holds."""

    frames: np.ndarray  # uint8 [cached, H, W, 3], mapped
    status: np.ndarray  # uint8 [cached], FrameStatus, mapped

    def __len__(self) -> int:
        return len(self.status)

    def read(self, row: int) -> np.ndarray:
        """The frame of a row below len(self), uint8 [H, W, 3]; raises FrameError as reading its file did."""
        if self.status[row]:
            raise FrameError(FrameStatus(int(self.status[row])))
        return self.frames[row]


def open_cache(
    folder: Path, paths: Sequence[str], preprocessing: Preprocessing, budget: int, threads: int
) -> FrameCache:
    """Map the cache of `paths` in `folder`, and make it first if there is none; `budget` is in bytes.

    The file appears only when it is complete. It is written from its beginning to its end, so that a full disk is
    an OSError here and not the end of a process that maps it, and memory stays flat.
    """
    frame_bytes = preprocessing.height * preprocessing.width * 3
    count = min(len(paths), budget // (frame_bytes + 1))
    path = folder / f"{_key(paths[:count], preprocessing)}{SUFFIX}"
    if count and not path.exists():
        status = np.zeros(count, np.uint8)
        with replacing(path) as temporary, temporary.open("wb") as file:
            for batch in load_batches(paths, np.arange(count), preprocessing, ROWS_AT_A_TIME, threads):
                file.write(batch.frames.data)
                status[batch.rows] = batch.status
            file.write(status.data)
    shape = (count, preprocessing.height, preprocessing.width, 3)
    mapped = np.memmap(path, np.uint8, "r") if count else np.zeros(0, np.uint8)
    return FrameCache(mapped[: count * frame_bytes].reshape(shape), mapped[count * frame_bytes :])


def _key(paths: Sequence[str], preprocessing: Preprocessing) -> str:
    digest = hashlib.sha256(f"{LAYOUT} {preprocessing.height}x{preprocessing.width} {preprocessing.resize}".encode())
    for path in paths:
        try:
            state = os.stat(path)  # noqa: PTH116  100,000 of them, and any name
            made = f"{state.st_size} {state.st_mtime_ns}"
        except (OSError, ValueError):
            made = "unreadable"
        digest.update(b"\n" + os.fsencode(f"{path} {made}"))
    return digest.hexdigest()[:24]

"""The real frames of a conversion: frames for the gate, and frames to calibrate INT8 with."""

from collections import defaultdict

import numpy as np

from game_classifier.deploy.gate import GateFrames
from game_classifier.errors import InputError
from game_classifier.frames.decode import Preprocessing
from game_classifier.frames.loader import load_batches
from game_classifier.lists.filelist import FileList
from game_classifier.tasks.task import Task

BATCH = 64


def gate_frames(task: Task, frames: FileList, count: int, preprocessing: Preprocessing, threads: int) -> GateFrames:
    """`count` frames of the list, evenly spaced, so that a list sorted by class gives every class its share.

    Frames that cannot be read are left out; raises InputError when none can.
    """
    rows = np.unique(np.linspace(0, len(frames) - 1, min(count, len(frames))).round().astype(np.int64))
    pixels, read = _read(frames, rows, preprocessing, threads)
    return GateFrames(pixels, task.targets(frames)[read], tuple(frames.paths[row] for row in read))


def calibration_frames(
    task: Task, frames: FileList, count: int, preprocessing: Preprocessing, threads: int
) -> np.ndarray:
    """Up to `count` frames, uint8 [M, height, width, 3], dealt from the task's strata in turn; InputError as above."""
    strata: dict[int, list[int]] = defaultdict(list)
    for row, stratum in enumerate(task.strata(task.targets(frames))):
        strata[int(stratum)].append(row)
    share = -(-count // len(strata))
    # From all of a stratum's frames evenly: neighbours in a list are frames of one recording.
    dealt = [[each[i * len(each) // share] for i in range(share)] for each in strata.values()]
    turns = [row for turn in zip(*dealt, strict=True) for row in turn]
    return _read(frames, np.unique(np.array(turns[:count])), preprocessing, threads)[0]


def _read(
    frames: FileList, rows: np.ndarray, preprocessing: Preprocessing, threads: int
) -> tuple[np.ndarray, np.ndarray]:
    """Pixels uint8 [M, height, width, 3] of the rows that can be read, and those rows."""
    batches = [batch.readable() for batch in load_batches(frames.paths, rows, preprocessing, BATCH, threads)]
    read = np.concatenate([batch.rows for batch in batches])
    if not len(read):
        raise InputError(
            f"{frames.source}: none of {len(rows)} frames could be read; give another list with -i, or the folder of"
            " its relative paths with --root"
        )
    return np.concatenate([batch.frames for batch in batches]), read

"""Inspecting every file of a list once: whether it can be read, its format, and its looks."""

import hashlib
from collections import defaultdict, deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from enum import IntFlag
from pathlib import Path

import numpy as np
import torch

from game_classifier.frames.decode import (
    FrameError,
    FrameStatus,
    Header,
    Preprocessing,
    look_at,
    read_file,
    resize_frames,
)

LEAST_SIDE = 64  # pixels: below it neither a HUD nor a sprite is left to tell games by
USUAL_MODES = frozenset(["RGB", "YCbCr", "L"])
# Names that Pillow gives to the formats which a suffix may stand for; other suffixes promise nothing.
FORMATS = {
    ".jpg": {"JPEG", "MPO"},
    ".jpeg": {"JPEG", "MPO"},
    ".jpe": {"JPEG", "MPO"},
    ".jfif": {"JPEG", "MPO"},
    ".png": {"PNG"},
    ".webp": {"WEBP"},
    ".bmp": {"BMP", "DIB"},
    ".gif": {"GIF"},
    ".tif": {"TIFF"},
    ".tiff": {"TIFF"},
    ".ppm": {"PPM"},
    ".pgm": {"PPM"},
    ".avif": {"AVIF"},
    ".jp2": {"JPEG2000"},
    ".tga": {"TGA"},
}

# 16 rows of 18 greys: the decoder's reduced frame through the resize of training. All pixels around a grey weigh in
# it, so that a shift by a pixel and JPEG noise hardly move it; a sprite in another place does.
# Their means in squares of four, 8 x 9, give 8 x 8 differences of neighbours: the 64 bits of a difference hash.
GREYS = Preprocessing(16, 18)
# A bit is set where the right one of two neighbours is lighter by more than this, in levels of 0..255. Large even
# areas are common in games; without it the rounding of their equal greys would set bits at random.
LEAST_STEP = 2
# Standard deviation of the 8 x 9 means, in levels, below which too little is left to compare: black and plain screens.
FLAT_BELOW = 2.0

FILES_A_TASK = 16  # a task for each file alone would cost more than its hash
TASKS_AHEAD_OF_EACH_THREAD = 4


class Problem(IntFlag):
    """Odd properties of a file that can be read."""

    WRONG_EXTENSION = 1
    TOO_SMALL = 2
    UNUSUAL_MODE = 4


# 325 bytes for a frame, whatever its size.
INSPECTED = np.dtype(
    [
        ("status", "u1"),  # FrameStatus; the other fields are 0 unless it is OK
        ("problems", "u1"),  # Problem bits
        ("flat", "?"),  # black or near-uniform
        ("mode", "u1"),  # position in MODES, of the pixels as stored
        ("rotated", "?"),  # by EXIF
        ("width", "<u4"),  # as stored
        ("height", "<u4"),
        ("digest", "<u8", 2),  # the first 16 bytes of the file's SHA-256
        ("hash", "<u8"),  # difference hash
        ("grey", "u1", GREYS.height * GREYS.width),
    ]
)
MODES = ("other", "YCbCr", "RGB", "L", "CMYK", "YCCK", "P", "PA", "RGBA", "LA", "1", "I;16", "I;16B", "I", "F")


def inspect_files(paths: Sequence[str], threads: int, rows: np.ndarray) -> Iterator[int]:
    """Read and decode each of `paths` once into `rows`, INSPECTED [N] of zeros; yield how many more are done, in order.

    Memory stays flat beside that array: files are read in tasks of a bounded queue, and nothing of them is
    kept but their row. Threads suffice, since hashing and decoding release Python's lock.
    """
    # A resize of one frame is too small to share between threads of its own.
    pool = ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(1,))
    ahead: deque[Future[int]] = deque()
    try:
        for start in range(0, len(paths), FILES_A_TASK):
            task = slice(start, start + FILES_A_TASK)
            ahead.append(pool.submit(_inspect_some, paths[task], rows[task]))
            if len(ahead) > threads * TASKS_AHEAD_OF_EACH_THREAD:
                yield ahead.popleft().result()
        while ahead:
            yield ahead.popleft().result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _inspect_some(paths: Sequence[str], rows: np.ndarray) -> int:
    """Fill the rows of some files; steps that are tiny for one frame run for all frames at once."""
    of_size: dict[tuple[int, ...], list[tuple[int, np.ndarray]]] = defaultdict(list)
    for position, (path, row) in enumerate(zip(paths, rows, strict=True)):
        try:
            pixels = _inspect_file(path, row)
        except FrameError as error:
            row["status"] = error.status
        else:
            of_size[pixels.shape].append((position, pixels))
    greys = np.zeros((len(paths), GREYS.height, GREYS.width), np.uint8)
    for alike in of_size.values():
        positions, pictures = zip(*alike, strict=True)
        frames = torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2)
        greys[list(positions)] = resize_frames(frames, GREYS.height, GREYS.width, GREYS.resize)[:, 0].numpy()
    means = pool_greys(greys)
    rows["grey"] = greys.reshape(len(rows), -1)
    rows["hash"] = difference_hashes(means)
    rows["flat"] = (means.std(axis=(1, 2)) < FLAT_BELOW) & (rows["status"] == FrameStatus.OK)
    return len(rows)


def _inspect_file(path: str, row: np.void) -> np.ndarray:
    """Fill one row except for its looks, and return the greys uint8 [H, W, 1]; raises FrameError."""
    data = read_file(path)
    pixels, header = look_at(data, GREYS)
    row["problems"] = _problems(Path(path).suffix.lower(), header)
    row["mode"] = MODES.index(header.mode) if header.mode in MODES else 0
    row["rotated"] = header.rotated
    row["width"], row["height"] = header.width, header.height
    row["digest"] = np.frombuffer(hashlib.sha256(data).digest()[:16], "<u8")
    return pixels


def pool_greys(greys: np.ndarray) -> np.ndarray:
    """Means of the squares of four of greys uint8 [N, 16, 18]; float32 [N, 8, 9]."""
    rows = greys[:, 0::2].astype(np.float32) + greys[:, 1::2]
    return (rows[:, :, 0::2] + rows[:, :, 1::2]) / 4


def difference_hashes(means: np.ndarray) -> np.ndarray:
    """Means float32 [N, 8, 9] as uint64 [N], a bit for each neighbour pair: 1 where the right one is lighter."""
    steps = means[:, :, 1:] - means[:, :, :-1] > LEAST_STEP
    return np.packbits(steps.reshape(len(steps), 64), axis=1).view(">u8")[:, 0]


def describe_mode(row: np.ndarray) -> str:
    """The unusual mode of an INSPECTED row, for people: `CMYK`, `L, rotated by EXIF`."""
    return MODES[row["mode"]] + (", rotated by EXIF" if row["rotated"] else "")


def _problems(suffix: str, header: Header) -> Problem:
    problems = Problem(0)
    if header.format not in FORMATS.get(suffix, {header.format}):
        problems |= Problem.WRONG_EXTENSION
    if min(header.width, header.height) < LEAST_SIDE:
        problems |= Problem.TOO_SMALL
    if header.mode not in USUAL_MODES or header.rotated:
        problems |= Problem.UNUSUAL_MODE
    return problems

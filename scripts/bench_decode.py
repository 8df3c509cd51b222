"""Measure where the time between a JPEG file and a frame of the network's size goes, on one processor.

    python scripts/bench_decode.py demo/datasets2/val.txt
    python scripts/bench_decode.py LIST --size 90        # networks of up to 90 pixels could take 1/8 of 720 rows

Every step works on the same frames, in turns. Decoding at 1/8 transforms one coefficient of 64, so nearly all
of its time is entropy decoding: reading the bits, which no scale saves. Grey leaves out the chroma's transform and the
conversion to RGB: the most that a network with YCbCr input could save. "advised" tells the system the next files
(posix_fadvise) before they are read; it helps only where files are not in memory yet.
"""

import os
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import simplejpeg
import torch

from game_classifier.command import CommandParser, positive, run_command
from game_classifier.compare.turns import Run, in_turns
from game_classifier.config import Config
from game_classifier.console import table
from game_classifier.errors import InputError
from game_classifier.frames.decode import decode_resized, read_file, resize_frames
from game_classifier.lists.filelist import read_file_list

SCALES = (8, 4, 2, 1)
ANY_CLASS = 2**31 - 1  # the labels do not matter here
AHEAD = 32  # files that "advised" asks for before it reads one


def main() -> None:
    """Parse, time, print."""
    parser = CommandParser(__doc__)
    parser.add_argument("list", type=Path, help="list of JPEG files")
    parser.add_argument(
        "--size", type=positive, default=128, help="side of the network's frames (default: %(default)s)"
    )
    parser.add_argument("--frames", type=positive, default=500, help="frames of the list (default: %(default)s)")
    parser.add_argument("--rounds", type=positive, default=5, help="rounds in turns (default: %(default)s)")
    arguments = parser.parse_args()
    paths = read_file_list(arguments.list, ANY_CLASS).paths[: arguments.frames]
    data = [read_file(path) for path in paths]
    if not all(each.startswith(b"\xff\xd8") for each in data):
        raise InputError(f"{arguments.list}: holds files that are no JPEGs; give a list of JPEGs")
    preprocessing = replace(Config().preprocessing(), height=arguments.size, width=arguments.size)
    steps: dict[str, Callable[[int], object]] = {
        "read the file": lambda i: read_file(paths[i]),
        "read the file, advised": partial(_read_advised, paths),
        "header": lambda i: simplejpeg.decode_jpeg_header(data[i]),
    }
    for scale in SCALES:
        for colours in ("GRAY", "RGB"):
            steps[f"decode at 1/{scale}, {colours}"] = partial(_decode, data, scale, colours)
    smaller = [torch.from_numpy(_decode(data, 4, "RGB", i)).permute(2, 0, 1)[None] for i in range(len(data))]
    steps["resize from 1/4"] = lambda i: resize_frames(smaller[i], arguments.size, arguments.size, "squash")
    steps["bytes to frame, as this tool does"] = lambda i: decode_resized(data[i], preprocessing)
    torch.set_num_threads(1)
    times = in_turns({name: Run(len(paths), call, len(paths)) for name, call in steps.items()}, arguments.rounds, 1)
    whole = times["bytes to frame, as this tool does"].total()
    rows = [[name, f"{each.ms():.3f}", f"{each.total() / whole:.0%}"] for name, each in times.items()]
    height, width = simplejpeg.decode_jpeg_header(data[0])[:2]
    title = f"{len(data)} frames, the first of {width}x{height}, to {arguments.size} pixels"
    print(table(title, ["Step", "ms a frame", "of bytes to frame"], rows))


def _decode(data: list[bytes], scale: int, colours: str, number: int) -> np.ndarray:
    height, width = simplejpeg.decode_jpeg_header(data[number])[:2]
    return simplejpeg.decode_jpeg(data[number], colours, min_height=-(-height // scale), min_width=-(-width // scale))


def _read_advised(paths: list[str], number: int) -> bytes:
    if number % AHEAD == 0:
        for path in paths[number + 1 : number + 1 + AHEAD]:
            with Path(path).open("rb") as file:
                os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_WILLNEED)
    return read_file(paths[number])


if __name__ == "__main__":
    run_command(main)

"""Measure how fast the data check inspects frames, beside bare decoding of the same JPEG files, and its memory.

    python scripts/bench_check.py demo/games [--files 2000] [--threads 2] [--lines 10000 100000]

Bare decoding reads each file and decodes it with simplejpeg in the same number of threads: to RGB at 1/4 of its size,
as training does, and to grey at 1/8, as the inspection does. All three run in turns, for three rounds in one process.
The script prints the medians.
"""

import resource
import statistics
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import cycle, islice
from pathlib import Path

import numpy as np
import simplejpeg

from game_classifier.checks.inspect_frames import INSPECTED, inspect_files
from game_classifier.command import CommandParser, positive, run_command
from game_classifier.device import choose_threads
from game_classifier.errors import InputError
from game_classifier.frames.decode import FrameError, read_file

ROUNDS = 3
FILES_A_TASK = 16


def main() -> None:
    """Parse, measure speed in turns, then memory at each number of lines."""
    parser = CommandParser(__doc__)
    parser.add_argument("folder", type=Path, help="folder of JPEG files, searched with its subfolders")
    parser.add_argument("--files", type=positive, default=2000, help="files in each round (default: %(default)s)")
    parser.add_argument("--threads", type=positive, help="number of threads (default: one for each processor)")
    parser.add_argument("--lines", type=positive, nargs="*", default=[], help="list lengths to measure the memory with")
    arguments = parser.parse_args()
    threads = choose_threads(arguments.threads)
    if not arguments.folder.is_dir():
        raise InputError(f"{arguments.folder}: no such folder; give a folder with .jpg files in it or below it")
    found = sorted(map(str, arguments.folder.rglob("*.jpg")))
    if not found:
        raise InputError(f"{arguments.folder}: holds no .jpg files; give a folder with some in it or below it")
    step = max(1, len(found) // arguments.files)
    files = found[::step][: arguments.files]

    runs = {
        "bare decoding, RGB at 1/4": partial(decode_bare, colours="RGB", scale=4),
        "bare decoding, grey at 1/8": partial(decode_bare, colours="GRAY", scale=8),
        "inspection": inspect,
    }
    speeds: dict[str, list[float]] = {name: [] for name in runs}
    for run in runs.values():  # fills the file cache and starts the libraries
        run(files[:200], threads)
    for _ in range(ROUNDS):
        for name, run in runs.items():
            start = time.perf_counter()
            run(files, threads)
            speeds[name].append(len(files) / (time.perf_counter() - start))
    medians = {name: statistics.median(each) for name, each in speeds.items()}
    for name, speed in medians.items():
        ratio = f", inspection runs at {medians['inspection'] / speed:.3f} of it" if name != "inspection" else ""
        print(f"{name}: {speed:.0f} frames/s, {threads} threads{ratio}")
    for lines in sorted(arguments.lines):  # ascending, since a process only knows its peak
        inspect(list(islice(cycle(files), lines)), threads)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        rows = lines * INSPECTED.itemsize / 2**20
        print(f"{lines} lines: peak resident memory {peak:.0f} MB, {rows:.1f} MB of it for the rows")


def decode_bare(files: list[str], threads: int, colours: str, scale: int) -> None:
    """Read and decode at reduced scale; keep nothing."""

    def decode_some(start: int) -> None:
        for path in files[start : start + FILES_A_TASK]:
            try:
                data = read_file(path)
                height, width, _, _ = simplejpeg.decode_jpeg_header(data)
                simplejpeg.decode_jpeg(data, colours, min_height=-(-height // scale), min_width=-(-width // scale))
            except (FrameError, ValueError) as error:
                raise InputError(
                    f"{path}: cannot be decoded as JPEG ({error}); remove it, or give another folder"
                ) from None

    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(decode_some, range(0, len(files), FILES_A_TASK)))


def inspect(files: list[str], threads: int) -> None:
    """Inspect the files as tool/check_dataset.py does."""
    for _ in inspect_files(files, threads, np.zeros(len(files), INSPECTED)):
        pass


if __name__ == "__main__":
    run_command(main)

"""Measure what inspecting frames costs beside bare decoding of the same JPEG files, and the memory it takes.

    python scripts/bench_check.py demo/games [--files 2000] [--threads 2] [--lines 10000 100000]

Bare decoding reads each file and decodes it by simplejpeg in as many threads: to RGB at 1/4 of its size, as
training needs it, and to greys at 1/8, as the inspection itself does. All run in turns, three rounds in one
process, and the medians are compared.
"""

import argparse
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
from game_classifier.device import choose_threads
from game_classifier.frames.decode import read_file

ROUNDS = 3
FILES_A_TASK = 16


def main() -> None:
    """Parse, measure speed in turns, then memory at each number of lines."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="folder of JPEG files, searched with its subfolders")
    parser.add_argument("--files", type=int, default=2000, help="files a round (default: %(default)s)")
    parser.add_argument("--threads", type=int, help="(default: the processors)")
    parser.add_argument("--lines", type=int, nargs="*", default=[], help="list lengths to measure the memory at")
    arguments = parser.parse_args()
    threads = choose_threads(arguments.threads)
    found = sorted(map(str, arguments.folder.rglob("*.jpg")))
    if not found:
        parser.error(f"{arguments.folder}: no JPEG files")
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
        ratio = f", inspection at {medians['inspection'] / speed:.3f} of it" if name != "inspection" else ""
        print(f"{name}: {speed:.0f} frames/s, {threads} threads{ratio}")
    for lines in sorted(arguments.lines):  # ascending, since a process only knows its peak
        inspect(list(islice(cycle(files), lines)), threads)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(f"{lines} lines: peak resident memory {peak:.0f} MB, of it {lines * INSPECTED.itemsize / 2**20:.1f} rows")


def decode_bare(files: list[str], threads: int, colours: str, scale: int) -> None:
    """Read and decode at reduced scale; nothing is kept."""

    def decode_some(start: int) -> None:
        for path in files[start : start + FILES_A_TASK]:
            data = read_file(path)
            height, width, _, _ = simplejpeg.decode_jpeg_header(data)
            simplejpeg.decode_jpeg(data, colours, min_height=-(-height // scale), min_width=-(-width // scale))

    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(decode_some, range(0, len(files), FILES_A_TASK)))


def inspect(files: list[str], threads: int) -> None:
    """What tool/check_dataset.py does with each file."""
    for _ in inspect_files(files, threads, np.zeros(len(files), INSPECTED)):
        pass


if __name__ == "__main__":
    main()

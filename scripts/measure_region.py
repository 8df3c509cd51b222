"""Measure what --region of src/predict_stream.py gains on the frames of a list, and what it costs.

    python scripts/measure_region.py -w CLASSIFIER --region DETECTOR --input LIST

Each line of the list has the index of its class, as those of tool/record_games.py --style stream. Each frame is
classified whole, then cut to the game's region, by the code of src/predict_stream.py in one thread. The times do not
hold the decoding, which is the same for both.
"""

import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch

from game_classifier.command import CommandParser, run_command
from game_classifier.console import markdown, percent, progress
from game_classifier.errors import InputError
from game_classifier.frames.decode import read_whole_frame, resize_frame
from game_classifier.frames.status import FrameError
from game_classifier.lists.filelist import FileList, read_file_list, require_complete
from game_classifier.lists.manifest import require_same_classes
from game_classifier.runtime.fastest import fastest_file
from game_classifier.runtime.runner import Runner, load_runner
from game_classifier.timeline.answers import BATCH_SIZE
from game_classifier.timeline.region import Region, load_region


def main() -> None:
    """Parse, classify each frame twice, print."""
    parser = CommandParser(__doc__)
    add = parser.add_argument
    add("-w", "--weights", type=Path, required=True, help="deployed file or checkpoint of a classifier")
    add("--region", type=Path, required=True, metavar="DETECTOR", help="as of src/predict_stream.py")
    add("--input", type=Path, required=True, metavar="LIST", help="list of frames with the indices of their classes")
    arguments = parser.parse_args()
    runner = load_runner(fastest_file(arguments.weights, "auto")).require_classifier()
    region = load_region(arguments.region)
    frames = read_file_list(arguments.input, len(runner.class_names))
    require_same_classes(frames, runner.class_names, runner.source)
    require_complete(frames)
    torch.set_num_threads(1)
    whole, cut, found = measure(runner, region, frames)
    print(f"{runner}\nregion: {region.runner}\n")
    print(f"{len(frames)} frames; the game's region was found in {found} of them ({percent(found / len(frames))}%)\n")
    print(markdown(["frames", "top-1", "ms a frame"], [["whole", *whole.cells()], ["cut to the region", *cut.cells()]]))


@dataclass
class Way:
    """One way to classify a list."""

    pixels: list[np.ndarray] = field(default_factory=list)  # of the network's size, to be classified
    answers: list[int] = field(default_factory=list)
    right: float = 0.0  # share
    seconds: float = 0.0

    def cells(self) -> list[str]:
        """Top-1 and ms a frame, as text."""
        return [f"{percent(self.right)}%", f"{1000 * self.seconds / len(self.answers):.2f}"]


def measure(runner: Runner, region: Region, frames: FileList) -> tuple[Way, Way, int]:
    """How right and how fast whole and cut frames are classified, and in how many there was a region."""
    (infer,), (cut,) = runner.workers(1, BATCH_SIZE), region.cuts(1)
    size, whole, parts, found = runner.preprocessing, Way(), Way(), 0
    infer(np.zeros((BATCH_SIZE, size.height, size.width, 3), np.uint8))  # warms up
    cut(np.zeros((size.height, size.width, 3), np.uint8), resize_frame)
    for row, path in enumerate(progress(frames.paths, desc=frames.source.name)):
        try:
            frame = read_whole_frame(path)
        except FrameError as error:
            raise InputError(f"{frames.source}:{row + 1}: {path} cannot be read ({error}); take the line out") from None
        start = time.perf_counter()
        whole.pixels.append(resize_frame(frame, size))
        middle = time.perf_counter()
        part = cut(frame, resize_frame)
        parts.pixels.append(resize_frame(part, size))
        whole.seconds, parts.seconds = whole.seconds + middle - start, parts.seconds + time.perf_counter() - middle
        found += part is not frame
        if len(whole.pixels) == BATCH_SIZE or row == len(frames) - 1:
            for way in (whole, parts):
                classify(runner, infer, way)
    for way in (whole, parts):
        way.right = float((np.array(way.answers) == frames.labels).mean())
    return whole, parts, found


def classify(runner: Runner, infer, way: Way) -> None:
    """Answer what waits, in a batch that is always full, as those of src/predict_stream.py are."""
    start = time.perf_counter()
    missing = BATCH_SIZE - len(way.pixels)
    batch = np.concatenate([way.pixels, np.zeros((missing, *way.pixels[0].shape), np.uint8)])
    way.answers += runner.split(infer(batch))[0].argmax(1)[: len(way.pixels)].tolist()
    way.seconds += time.perf_counter() - start
    way.pixels = []


if __name__ == "__main__":
    run_command(main)

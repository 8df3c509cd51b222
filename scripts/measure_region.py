"""Measure what --region of src/predict_stream.py gains on the frames of a list, and what it costs.

    python scripts/measure_region.py -w CLASSIFIER --region DETECTOR --input LIST
    python scripts/measure_region.py -w CLASSIFIER --region DETECTOR --input layouts/val.txt --true-boxes

Each line of the list has the index of its class, as those of tool/get_annotation.py. In a list of paths alone, the
class is the frame's folder: `pong/images/7.jpg`, as tool/record_objects.py --style stream writes it, or `pong/7.jpg`.
Each frame is classified whole, then cut to the game's region, by the code of src/predict_stream.py in one thread.
--true-boxes adds a third way: cut to the box in the frame's label file, as a perfect detector would at no cost. The
times do not hold the decoding, which is the same for all.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch

from game_classifier.command import CommandParser, run_command
from game_classifier.console import markdown, percent, progress
from game_classifier.errors import InputError
from game_classifier.frames.decode import read_whole_frame, resize_frame
from game_classifier.frames.status import FrameError
from game_classifier.frames.video_frame import Rectangle, cut_out
from game_classifier.lists.filelist import UNLABELLED, FileList, read_file_list, require_complete
from game_classifier.lists.label_files import IMAGES, label_path, read_boxes
from game_classifier.lists.manifest import require_same_classes
from game_classifier.runtime.fastest import fastest_file
from game_classifier.runtime.runner import Infer, Runner, load_runner
from game_classifier.tasks.detection.found import true_boxes
from game_classifier.timeline.answers import BATCH_SIZE
from game_classifier.timeline.region import Region, load_region, rectangle


def main() -> None:
    """Parse, classify each frame in each way, print."""
    parser = CommandParser(__doc__)
    add = parser.add_argument
    add("-w", "--weights", type=Path, required=True, help="deployed file or checkpoint of a classifier")
    add("--region", type=Path, required=True, metavar="DETECTOR", help="as of src/predict_stream.py")
    add("--input", type=Path, required=True, metavar="LIST", help="list of frames")
    add("--true-boxes", action="store_true", help="also cut to the boxes of the label files beside the frames")
    arguments = parser.parse_args()
    runner = load_runner(fastest_file(arguments.weights, "auto")).require_classifier()
    region = load_region(arguments.region)
    frames = read_frames(arguments.input, runner, region.runner)
    torch.set_num_threads(1)
    (find,) = region.finders(1)
    ways = [
        Way("whole", lambda row, frame: None),
        Way("cut to the region", lambda row, frame: find(frame, resize_frame)),
    ]
    if arguments.true_boxes:
        boxes = boxes_of_games(frames, region)
        ways.append(Way("cut to the true box", lambda row, frame: true_region(boxes[row], frame)))
    measure(runner, frames, ways)
    print(f"{runner}\nregion: {region.runner}\n\n{len(frames)} frames\n")
    print(markdown(["frames", "cut", "top-1", "ms a frame"], [way.cells(frames.labels) for way in ways]))


@dataclass
class Way:
    """One way to classify a list."""

    name: str
    find: Callable[[int, np.ndarray], Rectangle | None]  # row and frame -> the part to classify, or None for all of it
    pixels: list[np.ndarray] = field(default_factory=list)  # of the network's size, to be classified
    answers: list[int] = field(default_factory=list)
    cut: int = 0  # frames
    seconds: float = 0.0

    def cells(self, labels: np.ndarray) -> list[str]:
        """Name, share of frames that were cut, top-1 and ms a frame, as text."""
        right = float((np.array(self.answers) == labels).mean())
        spent = f"{1000 * self.seconds / len(labels):.2f}"
        return [self.name, f"{percent(self.cut / len(labels))}%", f"{percent(right)}%", spent]


def read_frames(path: Path, runner: Runner, detector: Runner) -> FileList:
    """A list with the classes of its frames; in one of paths alone, a detector's, they are those of the folders."""
    frames = read_file_list(path, len(runner.class_names))
    if (frames.labels == UNLABELLED).all():
        require_same_classes(frames, detector.class_names, detector.source)
        frames = replace(frames, labels=classes_of_folders(frames, runner))
    else:
        require_same_classes(frames, runner.class_names, runner.source)
    require_complete(frames)
    return frames


def classes_of_folders(frames: FileList, runner: Runner) -> np.ndarray:
    """The class of each frame, int32, by the name of its folder, or of the folder above `images`."""
    index = {name: number for number, name in enumerate(runner.class_names)}
    labels = []
    for row, path in enumerate(frames.paths):
        folder = Path(path).absolute().parent
        name = (folder.parent if folder.name == IMAGES else folder).name
        if name not in index:
            raise InputError(
                f"{frames.source}:{row + 1}: no class index after the path, and its folder {name!r} is no class of"
                f" {runner.source}; add the index"
            )
        labels.append(index[name])
    return np.array(labels, np.int32)


def boxes_of_games(frames: FileList, region: Region) -> list[np.ndarray]:
    """The boxes of the class `game` on each frame, BOX [n]; the classes of the label files are the detector's."""
    boxes = []
    for row, path in enumerate(frames.paths):
        labels = label_path(path)
        if not labels.is_file():
            raise InputError(
                f"{frames.source}:{row + 1}: no label file {labels}; record such frames with tool/record_objects.py"
                " --style stream, or leave --true-boxes out"
            )
        read = read_boxes(labels, len(region.runner.class_names))
        boxes.append(read[read["class"] == region.game])
    return boxes


def true_region(boxes: np.ndarray, frame: np.ndarray) -> Rectangle | None:
    """The first of the boxes that is large enough for --region too."""
    regions = (rectangle(box, frame) for box in true_boxes(boxes, np.array(frame.shape[:2]))["box"])
    return next((region for region in regions if region), None)


def measure(runner: Runner, frames: FileList, ways: Sequence[Way]) -> None:
    """Classify each frame in each way."""
    (infer,), size = runner.workers(1, BATCH_SIZE), runner.preprocessing
    blank = np.zeros((BATCH_SIZE, size.height, size.width, 3), np.uint8)
    infer(blank)  # warms up
    for way in ways:
        way.find(0, blank[0])
    for row, path in enumerate(progress(frames.paths, desc=frames.source.name)):
        try:
            frame = read_whole_frame(path)
        except FrameError as error:
            raise InputError(f"{frames.source}:{row + 1}: {path} cannot be read ({error}); take the line out") from None
        for way in ways:
            start = time.perf_counter()
            region = way.find(row, frame)
            way.pixels.append(resize_frame(cut_out(frame, region), size))
            way.seconds += time.perf_counter() - start
            way.cut += region is not None
            if len(way.pixels) == BATCH_SIZE or row == len(frames) - 1:
                classify(runner, infer, way)


def classify(runner: Runner, infer: Infer, way: Way) -> None:
    """Answer what waits, in a batch that is always full, as those of src/predict_stream.py are."""
    start = time.perf_counter()
    missing = BATCH_SIZE - len(way.pixels)
    batch = np.concatenate([way.pixels, np.zeros((missing, *way.pixels[0].shape), np.uint8)])
    way.answers += runner.split(infer(batch))[0].argmax(1)[: len(way.pixels)].tolist()
    way.seconds += time.perf_counter() - start
    way.pixels = []


if __name__ == "__main__":
    run_command(main)

"""Draw frames with their true boxes, and with those that a detector finds, into one picture.

    python scripts/draw_boxes.py --input boxes/train.txt                    # a look at the data
    python scripts/draw_boxes.py -w sv_detector/model/yolov5n_detector_best.pth --input boxes/val.txt

The frames are spaced evenly over the list, so nobody chooses them. Of the boxes found, those with a score of at least
0.25 are drawn.
"""

import contextlib
import math
from argparse import Namespace
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from game_classifier.command import CommandParser, positive, run_command
from game_classifier.datasets.cut_list import relative
from game_classifier.device import choose_threads
from game_classifier.errors import InputError
from game_classifier.frames.decode import FrameError, read_whole_frame
from game_classifier.lists.box_list import read_box_list
from game_classifier.lists.classes import read_class_names
from game_classifier.lists.dataset import ANNOTATIONS
from game_classifier.lists.filelist import FileList
from game_classifier.lists.manifest import require_same_classes
from game_classifier.models.zoo import task_name
from game_classifier.pages.box_pictures import ShownFrame, draw_sheet
from game_classifier.runtime.runner import load_runner
from game_classifier.tasks.choose import task_of
from game_classifier.tasks.detection.scores import shown_boxes
from game_classifier.tasks.detection.task import Detection
from game_classifier.tasks.evaluate import evaluate

BATCH = 8


def main() -> None:
    """Parse, find the boxes, draw."""
    parser = CommandParser(__doc__)
    add = parser.add_argument
    add("-w", "--weights", type=Path, help="deployed file or checkpoint of a detector (default: true boxes alone)")
    add("--input", type=Path, required=True, metavar="LIST", help="list of frames")
    add("--frames", type=positive, default=12, help="how many to draw (default: %(default)s)")
    add("-o", "--output", type=Path, default=Path("boxes.png"), help="picture (default: %(default)s)")
    arguments = parser.parse_args()

    if not arguments.output.parent.is_dir():
        raise InputError(f"{arguments.output.parent}: no such folder; create it, or choose another one with -o")
    shown = list(found_boxes(arguments) if arguments.weights else true_boxes(arguments))
    if not shown:
        raise InputError(f"{arguments.input}: none of the frames can be read; tool/check_dataset.py names them")
    draw_sheet(arguments.output, shown)
    print(f"written: {arguments.output}")


def found_boxes(arguments: Namespace) -> Iterator[ShownFrame]:
    """Frames with true and found boxes."""
    runner = load_runner(arguments.weights)
    if task_name(runner.network) != Detection.name:
        raise InputError(f"{arguments.weights}: {runner.network} is no detector; take scripts/draw_answers.py")
    task = task_of(runner.network)
    frames = task.read_list(arguments.input, len(runner.class_names), None)
    require_same_classes(frames, runner.class_names, runner.source)
    rows = spaced_evenly(len(frames), arguments.frames)
    result = evaluate(
        runner, task, runner.class_names, frames, runner.preprocessing, BATCH, choose_threads(None), rows=rows
    )
    for row, boxes in sorted(result.scores.results.items()):
        named = [(runner.class_names[label], score, box) for label, score, box in shown_boxes(boxes)]
        yield ShownFrame(title(frames, row), read_whole_frame(frames.paths[row]), named)


def true_boxes(arguments: Namespace) -> Iterator[ShownFrame]:
    """Frames with true boxes; those that cannot be read are left out."""
    class_names = read_class_names(arguments.input.parent / ANNOTATIONS)
    frames = read_box_list(arguments.input, len(class_names))
    for row in spaced_evenly(len(frames), arguments.frames):
        with contextlib.suppress(FrameError):
            pixels = read_whole_frame(frames.paths[row])
            scale = np.tile(pixels.shape[1::-1], 2)
            named = [(class_names[label], math.nan, box * scale) for label, box in frames.boxes.of(row)]
            yield ShownFrame(title(frames, row), pixels, named)


def spaced_evenly(count: int, wanted: int) -> np.ndarray:
    """Rows in the middles of equal parts: the ends of a sorted list are always of the same two games."""
    return np.unique(((np.arange(wanted) + 0.5) * count / wanted).astype(int))


def title(frames: FileList, row: int) -> str:
    """The path as the list has it."""
    return relative(frames.paths[row], frames.source.parent)


if __name__ == "__main__":
    run_command(main)

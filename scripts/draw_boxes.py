"""Draw frames with the boxes that a detector finds on them, beside the true boxes, into one picture.

    python scripts/draw_boxes.py -w sv_detector/model/yolov5n_detector_best.pth --input boxes/val.txt

The frames are spaced evenly over the list, so nobody chooses them. Boxes with a score of at least 0.25 are drawn.
"""

from pathlib import Path

import numpy as np

from game_classifier.command import CommandParser, positive, run_command
from game_classifier.device import choose_threads
from game_classifier.errors import InputError
from game_classifier.frames.decode import read_whole_frame
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
    add("-w", "--weights", type=Path, required=True, help="deployed file or checkpoint of a detector")
    add("--input", type=Path, required=True, metavar="LIST", help="list of frames")
    add("--frames", type=positive, default=12, help="how many to draw (default: %(default)s)")
    add("-o", "--output", type=Path, default=Path("boxes.png"), help="picture (default: %(default)s)")
    arguments = parser.parse_args()

    if not arguments.output.parent.is_dir():
        raise InputError(f"{arguments.output.parent}: no such folder; create it, or choose another one with -o")
    runner = load_runner(arguments.weights)
    if task_name(runner.network) != Detection.name:
        raise InputError(f"{arguments.weights}: {runner.network} is no detector; take scripts/draw_answers.py")
    task = task_of(runner.network)
    frames = task.read_list(arguments.input, len(runner.class_names), None)
    require_same_classes(frames, runner.class_names, runner.source)
    # The middles of equal parts: the ends of a sorted list are always of the same two games.
    rows = np.unique(((np.arange(arguments.frames) + 0.5) * len(frames) / arguments.frames).astype(int))
    result = evaluate(
        runner, task, runner.class_names, frames, runner.preprocessing, BATCH, choose_threads(None), rows=rows
    )
    shown = [
        ShownFrame(
            Path(frames.paths[row]).name,
            read_whole_frame(frames.paths[row]),
            [(runner.class_names[label], score, box) for label, score, box in shown_boxes(found)],
        )
        for row, found in sorted(result.scores.results.items())
    ]
    if not shown:
        raise InputError(f"{arguments.input}: none of {len(rows)} frames can be read; tool/check_dataset.py names them")
    draw_sheet(arguments.output, shown)
    print(f"written: {arguments.output}")


if __name__ == "__main__":
    run_command(main)

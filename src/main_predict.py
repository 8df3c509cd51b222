"""Score a classifier or a detector on a labelled list, or predict image files.

    python src/main_predict.py -w save_pt_pth_file/repvgg_a0_cpp_deploy.pt -i datasets2/val.txt
    python src/main_predict.py -w sv_train/model/repvgg_a0_best.pth -i frame1.jpg frame2.png
    python src/main_predict.py -w DETECTOR.pth -i frame1.jpg frame2.png --save pictures

For a list, prints the scores and a table of the worst classes. For image files, prints the most likely classes of each
file, or the boxes on it; --save draws the boxes into FOLDER/NAME_boxes.png.
"""

from pathlib import Path

import numpy as np

from game_classifier.command import CommandParser, run_command
from game_classifier.device import choose_threads
from game_classifier.errors import InputError
from game_classifier.frames.decode import FrameError, decode_with_size, read_whole_frame
from game_classifier.frames.files import read_file
from game_classifier.lists.manifest import require_same_classes
from game_classifier.models.refusals import NO_SCORE
from game_classifier.models.zoo import CLASSIFICATION, task_name
from game_classifier.pages.box_pictures import ShownFrame, draw_boxes
from game_classifier.pages.tables import summary_table
from game_classifier.runtime.runner import Runner, load_runner
from game_classifier.storage import make_folder
from game_classifier.tasks.choose import task_of
from game_classifier.tasks.evaluate import evaluate, unread_lines
from game_classifier.tasks.task import Answered

LEAST_SCORE = 0.25  # of boxes that are printed and drawn


def main() -> None:
    """Parse, load the network, then score the list or predict the image files."""
    parser = CommandParser(__doc__)
    parser.add_argument(
        "-w", "--weights", type=Path, required=True, help="deployed file (.pt, .onnx, .xml) or checkpoint (.pth)"
    )
    parser.add_argument(
        "-i", "--input", type=Path, nargs="+", required=True, help="one list (.txt), or some image files"
    )
    parser.add_argument(
        "--save",
        type=Path,
        metavar="FOLDER",
        help="of a detector and image files: draw each with its boxes into FOLDER",
    )
    parser.add_argument(
        "--least-score",
        type=float,
        metavar="SCORE",
        help="of a detector and image files: print and draw boxes with a score above this one, 0 to 1 (default:"
        f" {LEAST_SCORE})",
    )
    parser.add_inference_options()
    arguments = parser.parse_args()

    lists = [path for path in arguments.input if path.suffix == ".txt"]
    if lists and len(arguments.input) > 1:
        raise InputError(
            f"{lists[0]}: give this list alone, without other lists or image files; src/predict_repvgg.py takes several"
            " lists"
        )
    runner = load_runner(arguments.weights, arguments.device, arguments.precision)
    print(runner)
    if lists:
        for name in ("save", "least_score"):
            if getattr(arguments, name) is not None:
                raise InputError(f"--{name.replace('_', '-')}: not for a list, which is scored; leave it out")
        validate(runner, lists[0], arguments.root, arguments.batch_size, choose_threads(arguments.threads))
    else:
        predict_images(runner, arguments.input, arguments.least_score, arguments.save)
    if runner.refusals is None and task_name(runner.network) == CLASSIFICATION:
        print(NO_SCORE)


def validate(runner: Runner, path: Path, root: Path | None, batch_size: int, threads: int) -> None:
    """Print the scores on a labelled list."""
    task = task_of(runner.network)
    frames = task.read_list(path, len(runner.class_names), root)
    require_same_classes(frames, runner.class_names, runner.source)
    if not task.has_target(task.targets(frames)).any():
        raise InputError(f"{path}: {task.nothing_to_score}; src/predict_repvgg.py predicts such a list")
    result = evaluate(runner, task, runner.class_names, frames, runner.preprocessing, batch_size, threads)
    for line in unread_lines(frames, result.unread):
        print(line)
    print(result.scores.describe())
    title = f"{path.name}: {result.scores.frames} frames, {runner.precision}"
    print(summary_table(title, result.scores.figures(), task.columns))


def predict_images(runner: Runner, paths: list[Path], least_score: float | None, save: Path | None) -> None:
    """Print the answer for each image; with `save`, also draw its boxes there."""
    rows = task_of(runner.network).rows
    if rows.boxes is not None or least_score is not None:
        rows = rows.with_least_score(LEAST_SCORE if least_score is None else least_score)
    pictures = picture_names(runner, paths, save) if save else {}
    refuse_below = runner.refusals.threshold() if runner.refusals else None
    for path in paths:
        try:
            frame, size = decode_with_size(read_file(path), runner.preprocessing)
        except FrameError as error:
            raise InputError(
                f"{path}: cannot be read as an image ({error}); give image files, or one list that ends in .txt;"
                " src/predict_repvgg.py takes folders, too"
            ) from None
        row = np.zeros(1, rows.dtype(len(runner.class_names), runner.refusals is not None))
        sizes, answers = np.array([size], np.int32), runner.infer(frame[None])
        boxes = rows.fill(row, Answered(np.zeros(1, np.int64), sizes, answers, runner.preprocessing))
        print(path)
        print(rows.describe_row(row[0], boxes, runner.class_names, refuse_below))
        if save:
            drawn = [
                (
                    runner.class_names[box["class"]],
                    float(box["score"]),
                    [box[name] for name in ("x1", "y1", "x2", "y2")],
                )
                for box in boxes
            ]
            draw_boxes(
                make_folder(save) / pictures[path],
                ShownFrame(path.name, read_whole_frame(path), drawn),
                runner.class_names,
            )
            print(f"written: {save / pictures[path]}")


def picture_names(runner: Runner, paths: list[Path], save: Path) -> dict[Path, str]:
    """The file that each image's boxes are drawn into; InputError where two would be the same."""
    if task_of(runner.network).rows.boxes is None:
        raise InputError(f"--save: {runner.source} is a classifier, which finds no boxes to draw; leave it out")
    names = {path: f"{path.stem}_boxes.png" for path in paths}
    first: dict[str, Path] = {}
    inputs = {path.resolve() for path in paths}
    for path, name in names.items():
        if (save / name).resolve() in inputs:
            raise InputError(f"{path}: its boxes would be drawn over {save / name}; give another folder with --save")
        if name in first:
            raise InputError(f"{path}: would be drawn into {save / name}, as {first[name]}; give them in two runs")
        first[name] = path
    return names


if __name__ == "__main__":
    run_command(main)

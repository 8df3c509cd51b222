"""Score a classifier on a labelled list, or classify image files.

    python src/main_predict.py -w save_pt_pth_file/repvgg_a0_cpp_deploy.pt -i datasets2/val.txt
    python src/main_predict.py -w sv_train/model/repvgg_a0_best.pth -i frame1.jpg frame2.png

For a list, prints top-1, top-5 and a table of the worst classes. For image files, prints the most likely classes of
each file.
"""

from pathlib import Path

from game_classifier.command import CommandParser, run_command
from game_classifier.device import choose_threads
from game_classifier.errors import InputError
from game_classifier.frames.decode import FrameError, read_frame
from game_classifier.lists.manifest import require_same_classes
from game_classifier.models.refusals import NO_SCORE
from game_classifier.models.zoo import CLASSIFICATION, task_name
from game_classifier.pages.tables import summary_table
from game_classifier.runtime.runner import Runner, load_runner
from game_classifier.tasks.choose import task_of, task_with
from game_classifier.tasks.evaluate import evaluate, unread_lines


def main() -> None:
    """Parse, load the classifier, then score the list or classify the image files."""
    parser = CommandParser(__doc__)
    parser.add_argument(
        "-w", "--weights", type=Path, required=True, help="deployed file (.pt, .onnx, .xml) or checkpoint (.pth)"
    )
    parser.add_argument(
        "-i", "--input", type=Path, nargs="+", required=True, help="one list (.txt), or some image files"
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
        validate(runner, lists[0], arguments.root, arguments.batch_size, choose_threads(arguments.threads))
    else:
        predict_images(runner, arguments.input)
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


def predict_images(runner: Runner, paths: list[Path]) -> None:
    """Print the answer for each image."""
    task = task_with(runner.network, "rows")
    refuse_below = runner.refusals.threshold() if runner.refusals else None
    for path in paths:
        try:
            frame = read_frame(path, runner.preprocessing)
        except FrameError as error:
            raise InputError(
                f"{path}: cannot be read as an image ({error}); give an image file, or a list that ends in .txt"
            ) from None
        print(path)
        print(task.rows.describe_answer(runner.infer(frame[None])[0], runner.class_names, refuse_below))


if __name__ == "__main__":
    run_command(main)

"""Predict lists of frames into npy files with a classifier or a detector, then write the results of each class.

    python src/predict_repvgg.py -w FILE.pt --input datasets2/val.txt --save save_npy_file
    python src/predict_repvgg.py -w FILE.pt --input lists/ --save save_npy_file
    python src/predict_repvgg.py --summarize save_npy_file

Writes SAVE/LIST.npy, where row i is line i of the list, and its manifest SAVE/LIST.json; a detector also writes
SAVE/LIST.boxes.npy with the boxes of all rows. Then writes SAVE/results: report.html, and files with the scores of each
class. Finished lists are not predicted again. --input also takes a folder of images or a tar of images.
"""

import argparse
import time
from pathlib import Path

from game_classifier.command import CommandParser, run_command
from game_classifier.device import choose_threads
from game_classifier.errors import InputError
from game_classifier.models.refusals import NO_SCORE, require_rate
from game_classifier.models.zoo import CLASSIFICATION, task_name
from game_classifier.predict.coco import write_coco
from game_classifier.predict.open_lists import find_lists, predict_lists, read_list
from game_classifier.predict.predict_list import Predictor
from game_classifier.predict.ray_engine import Job, predict_with_ray
from game_classifier.predict.results import collect
from game_classifier.runtime.fastest import fastest_file
from game_classifier.runtime.runner import Runner, load_runner
from game_classifier.tasks.choose import task_of
from game_classifier.tasks.task import Results

UNREAD_SHOWN = 10


def main() -> None:
    """Parse; predict unless only a summary is wanted; summarise."""
    parser = CommandParser(__doc__)
    parser.add_argument("-w", "--weights", type=Path, help="deployed file (.pt, .onnx, .xml) or checkpoint (.pth)")
    parser.add_argument(
        "--input",
        type=Path,
        metavar="LIST_OR_FOLDER",
        help="list of frames, folder of lists (*.txt) or images, or tar of images",
    )
    parser.add_argument("--save", type=Path, metavar="FOLDER", help="folder for the npy files")
    parser.add_argument(
        "--summarize", type=Path, metavar="FOLDER", help="only write the results of the npy files in FOLDER again"
    )
    parser.add_argument(
        "--refuse",
        type=float,
        metavar="RATE",
        help="share of frames of known games that may be refused as unknown, 0 to 0.5 (default: the file's, which is"
        " the recipe's); needs no new prediction: give it with --summarize",
    )
    parser.add_argument(
        "--least-score",
        type=float,
        metavar="SCORE",
        help="of a detector: keep boxes with a score above this one, 0 to 1 (default: 0.001, because average precision"
        " needs nearly all boxes)",
    )
    parser.add_argument(
        "--coco",
        action="store_true",
        help="of a detector: also write the boxes of each list as COCO results, SAVE/results/LIST.coco.json; image_id"
        " is the line of the list, category_id the class index plus 1",
    )
    parser.add_inference_options()
    parser.add_argument(
        "--runtime",
        choices=("auto", "file"),
        default="auto",
        help="auto: on a CPU, run the OpenVINO file of the same conversion instead of a .pt file; file: run the .pt"
        " file itself (default: auto)",
    )
    parser.add_argument(
        "--engine",
        choices=("local", "ray"),
        default="local",
        help="local: run on this machine; ray: distribute the lists over a Ray cluster (default: local)",
    )
    arguments = parser.parse_args()

    if arguments.refuse is not None:
        require_rate(arguments.refuse)
    save = arguments.summarize or arguments.save
    if not arguments.summarize:
        absent = [name for name in ("weights", "input", "save") if getattr(arguments, name) is None]
        if absent:
            raise InputError(f"--{absent[0]} is missing; give -w, --input and --save, or --summarize FOLDER")
        predict(arguments)
    results = collect(save, arguments.refuse)
    files = results.write(save / "results")
    print_results(results)
    print(f"written: {save / 'results'}/{files}")
    for path in write_coco(save, save / "results") if arguments.coco else ():
        print(f"written: {path}")


def predict(arguments: argparse.Namespace) -> None:
    """Predict every list of the input, and print how long it took."""
    # Absolute, so that the files are the same from wherever, and by whichever engine, they are made.
    source, save = arguments.input.absolute(), arguments.save.absolute()
    root = arguments.root.absolute() if arguments.root else None
    weights, threads = arguments.weights.absolute(), choose_threads(arguments.threads)
    if arguments.runtime == "auto" and arguments.precision == "auto":
        weights = fastest_file(weights, arguments.device)
    runner = load_runner(weights, arguments.device, arguments.precision)
    check_options(runner, arguments)
    # All lists are read before the first frame is predicted, so that a wrong one shows at once.
    lists = [read_list(each, runner, root) for each in find_lists(source)]
    total = sum(map(len, lists))
    print(f"{total} frames in {len(lists)} list(s), {runner}; {threads} threads, batches of {arguments.batch_size}")
    if weights.name != arguments.weights.name:
        print(f"(from the same conversion as {arguments.weights}, and faster here; --runtime file runs the .pt file)")
    if runner.refusals is None and task_name(runner.network) == CLASSIFICATION:
        print(NO_SCORE)
    start = time.perf_counter()
    if arguments.engine == "ray":
        job = Job(weights, arguments.precision, threads, arguments.batch_size, root, save, arguments.least_score)
        kept = predict_with_ray([frames.source for frames in lists], job)
    else:
        kept = predict_lists(lists, Predictor(runner, threads, arguments.batch_size, arguments.least_score), save)
    seconds = time.perf_counter() - start
    if kept:
        print(f"{kept} list(s) were already finished and are kept")
    if kept < len(lists):
        print(f"predicted in {seconds:.1f} s")


def check_options(runner: Runner, arguments: argparse.Namespace) -> None:
    """Raise InputError for options of the other task now, not after the work."""
    rows = task_of(runner.network).rows
    rows.results(runner.class_names, arguments.refuse)
    if arguments.least_score is not None:
        rows.with_least_score(arguments.least_score)
    if arguments.coco and rows.boxes is None:
        raise InputError(f"--coco: {runner.source} is a classifier, which finds no boxes; leave it out")


def print_results(results: Results) -> None:
    """Print the files that could not be read, then the scores of the others."""
    if results.not_read:
        reasons = ", ".join(f"{reason} {count}" for reason, count in sorted(results.not_read.items()))
        print(f"{results.not_read.total()} of {results.rows} files could not be read ({reasons}); the first of them:")
        print("\n".join(f"  {file}" for file in results.first_not_read[:UNREAD_SHOWN]))
    if text := results.describe():
        print(text)


if __name__ == "__main__":
    run_command(main)

"""Predict lists of frames into npy files, then make the per-class results.

    python src/predict_repvgg.py -w FILE.pt --input datasets2/val.txt --save save_npy_file
    python src/predict_repvgg.py -w FILE.pt --input lists/ --save save_npy_file
    python src/predict_repvgg.py --summarize save_npy_file

Writes SAVE/LIST.npy, whose row i is line i of the list, with its manifest SAVE/LIST.json, and
SAVE/results/per_class.npy, confusion.npy and per_class.csv. Lists that are finished are not predicted again.
"""

import argparse
import time
from pathlib import Path

from game_classifier.command import CommandParser, run_command
from game_classifier.deploy.runtime import load_classifier
from game_classifier.device import choose_threads
from game_classifier.errors import InputError
from game_classifier.predict.results import Results, collect, write_results
from game_classifier.predict.run import find_lists, predict_lists, read_lists
from game_classifier.report.tables import predicted_counts_table, summary_table, worst_classes_table

UNREAD_SHOWN = 10


def main() -> None:
    """Parse; predict unless only a summary is wanted; summarise."""
    parser = CommandParser(__doc__)
    parser.add_argument("-w", "--weights", type=Path, help="deployed file (.pt, .onnx, .xml) or checkpoint (.pth)")
    parser.add_argument(
        "--input", type=Path, metavar="LIST_OR_FOLDER", help="list of frames, or folder of lists (*.txt)"
    )
    parser.add_argument("--save", type=Path, metavar="FOLDER", help="where the npy files go")
    parser.add_argument(
        "--summarize", type=Path, metavar="FOLDER", help="only make the results of FOLDER's npy files again"
    )
    parser.add_inference_options()
    arguments = parser.parse_args()

    save = arguments.summarize or arguments.save
    if not arguments.summarize:
        absent = [name for name in ("weights", "input", "save") if getattr(arguments, name) is None]
        if absent:
            raise InputError(f"--{absent[0]} is missing; give -w, --input and --save, or --summarize FOLDER")
        predict(arguments)
    results = collect(save)
    print_results(results, write_results(results, save / "results"))
    print(f"written: {save / 'results'}/per_class.npy, confusion.npy, per_class.csv")


def predict(arguments: argparse.Namespace) -> None:
    """Predict every list of the input, and say how fast."""
    classifier = load_classifier(arguments.weights, arguments.device, arguments.precision)
    lists = read_lists(find_lists(arguments.input), classifier, arguments.root)
    print(f"{sum(map(len, lists))} frames in {len(lists)} list(s), {classifier}")
    start = time.perf_counter()
    kept = predict_lists(lists, classifier, arguments.save, arguments.batch_size, choose_threads(arguments.threads))
    seconds = time.perf_counter() - start
    if kept:
        print(f"{kept} list(s) were finished before and are kept")
    if kept < len(lists):
        print(f"predicted in {seconds:.1f} s")


def print_results(results: Results, per_class) -> None:
    """The rows that could not be read, then the scores, or without labels what was predicted."""
    if results.not_read:
        reasons = ", ".join(f"{reason} {count}" for reason, count in sorted(results.not_read.items()))
        print(f"{results.not_read.total()} of {results.rows} files could not be read ({reasons}); the first:")
        print("\n".join(f"  {sentence}" for sentence in results.first_not_read[:UNREAD_SHOWN]))
    if results.unlabelled:
        print(predicted_counts_table(results.class_names, results.predicted))
    scored = results.scores.confusion.sum()
    if scored:
        print(worst_classes_table(per_class, results.scores.confusion))
        print(summary_table(f"{scored} frames", results.scores.summary()))


if __name__ == "__main__":
    run_command(main)

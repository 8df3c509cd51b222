"""Validate a classifier on a list, or classify image files.

    python src/main_predict.py -w save_pt_pth_file/repvgg_a0_cpp_deploy.pt -i datasets2/val.txt
    python src/main_predict.py -w sv_train/model/repvgg_a0_best.pth -i frame1.jpg frame2.png

A list gives top-1, top-5 and the per-class table, image files the likeliest classes of each.
"""

from pathlib import Path

import numpy as np

from game_classifier.command import CommandParser, run_command
from game_classifier.device import choose_threads
from game_classifier.errors import InputError
from game_classifier.frames.decode import FrameError, read_frame
from game_classifier.lists.filelist import UNLABELLED, read_file_list
from game_classifier.lists.manifest import require_same_classes
from game_classifier.pages.tables import summary_table, top_classes_table, worst_classes_table
from game_classifier.runtime.runner import Runner, load_runner
from game_classifier.scoring.evaluate import evaluate, unread_lines

CLASSES_SHOWN = 5


def main() -> None:
    """Parse, load the classifier, and hand over to the list or the image files."""
    parser = CommandParser(__doc__)
    parser.add_argument(
        "-w", "--weights", type=Path, required=True, help="deployed file (.pt, .onnx, .xml) or checkpoint (.pth)"
    )
    parser.add_argument("-i", "--input", type=Path, nargs="+", required=True, help="one list (.txt), or image files")
    parser.add_inference_options()
    arguments = parser.parse_args()

    lists = [path for path in arguments.input if path.suffix == ".txt"]
    if lists and len(arguments.input) > 1:
        raise InputError(
            f"{lists[0]}: one list at a time, and no image files beside it; src/predict_repvgg.py takes many lists"
        )
    classifier = load_runner(arguments.weights, arguments.device, arguments.precision)
    print(classifier)
    if lists:
        validate(classifier, lists[0], arguments.root, arguments.batch_size, choose_threads(arguments.threads))
    else:
        classify_images(classifier, arguments.input)


def validate(classifier: Runner, path: Path, root: Path | None, batch_size: int, threads: int) -> None:
    """Print the scores on a labelled list."""
    frames = read_file_list(path, len(classifier.class_names), root)
    require_same_classes(frames, classifier.class_names, classifier.source)
    if (frames.labels == UNLABELLED).all():
        raise InputError(
            f"{path}: no line has a class index, so there is nothing to score;"
            " src/predict_repvgg.py predicts such lists"
        )
    result = evaluate(classifier, frames, classifier.preprocessing, len(classifier.class_names), batch_size, threads)
    for line in unread_lines(frames, result.unread):
        print(line)
    per_class = result.scores.per_class(classifier.class_names)
    print(worst_classes_table(per_class, result.scores.confusion))
    print(
        summary_table(
            f"{path.name}: {result.scores.confusion.sum()} frames, {classifier.precision}",
            result.scores.summary(),
        )
    )


def classify_images(classifier: Runner, paths: list[Path]) -> None:
    """Print the likeliest classes of each image."""
    for path in paths:
        try:
            frame = read_frame(path, classifier.preprocessing)
        except FrameError as error:
            raise InputError(
                f"{path}: cannot be read as an image ({error}); give an image file, or a list that ends in .txt"
            ) from None
        probabilities = classifier(frame[None])[0]
        order = np.argsort(-probabilities, kind="stable")[:CLASSES_SHOWN]
        print(path)
        print(top_classes_table([classifier.class_names[index] for index in order], probabilities[order]))


if __name__ == "__main__":
    run_command(main)

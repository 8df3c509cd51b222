"""Convert a checkpoint into deployed files, and test each file on real frames.

    python src/main_convert.py -w sv_train/model/repvgg_a0_best.pth
    python src/main_convert.py -w sv_train/model/repvgg_a0_best.pth -i datasets2 --formats pt
    python src/main_convert.py -w RepVGG-A0-train.pth --network repvgg_a0 -c classes.txt -i frames

Writes FOLDER/NETWORK_cpp_deploy.pt (TorchScript). This file takes uint8 RGB frames [N, H, W, 3] of any size and returns
float32 probabilities [N, C], or a detector's boxes [N, M, 4] in pixels of the frame and scores [N, M, C], before
non-maximum suppression; it contains the class names and the preprocessing. The command also writes the network as
bf16 TorchScript, ONNX and OpenVINO, and as INT8 OpenVINO if nncf is installed. On a CPU, batch prediction runs the
OpenVINO files, because they are several times as fast. --formats pt is quicker: it writes only the first file.
Each file must give nearly the same answers as the trained network. The recipe's `gate` section sets the limits. If a
file misses a limit, the command does not write it and ends with status 2. FOLDER/conversion.json holds the results.
Next: python src/main_predict.py -w FOLDER/NETWORK_cpp_deploy.pt -i datasets2/val.txt
"""

import argparse
from pathlib import Path

from game_classifier.command import CommandParser, positive, run_command
from game_classifier.config import Config, read_config
from game_classifier.deploy.drawing import draw_fold
from game_classifier.deploy.export import CONVERSION_FILE, Conversion, convert
from game_classifier.deploy.forms import FORMATS, installed_formats
from game_classifier.deploy.frame_sets import calibration_frames, gate_frames
from game_classifier.deploy.gate import gate_table
from game_classifier.deploy.golden import write_golden
from game_classifier.device import choose_threads
from game_classifier.errors import InputError
from game_classifier.lists.classes import read_class_names
from game_classifier.lists.dataset import TRAIN_LIST, VAL_LIST
from game_classifier.lists.filelist import FileList, list_of_images
from game_classifier.lists.manifest import require_same_classes
from game_classifier.models.adopt import adopt_weights
from game_classifier.models.checkpoint import Checkpoint, load_checkpoint
from game_classifier.models.refusals import NO_SCORE
from game_classifier.models.zoo import CLASSIFICATION, recipe_name, task_name
from game_classifier.runtime.runner import load_runner
from game_classifier.tasks.choose import task_of

RECIPES = Path(__file__).resolve().parents[1] / "config"
ALL = "all"


def main() -> None:
    """Parse, read checkpoint and frames, convert, and print the measurements."""
    parser = CommandParser(__doc__)
    add = parser.add_argument
    add(
        "-w",
        "--weights",
        type=Path,
        required=True,
        help="checkpoint of src/main_train.py, or weights of another project",
    )
    add(
        "-c",
        "--classes",
        metavar="N_OR_FILE",
        help="number of classes, or class file, that the checkpoint must have; --network needs the class file",
    )
    add("-o", "--output", type=Path, default=Path("save_pt_pth_file"), help="output folder (default: %(default)s)")
    add(
        "-i",
        "--input",
        type=Path,
        metavar="DATA",
        help="frames to test on: a data set, a list or a folder of images (default: the data set of the training)",
    )
    add("--root", type=Path, help="folder of the relative paths in the lists (default: the list's own folder)")
    add(
        "--formats",
        nargs="+",
        choices=[*FORMATS, ALL],
        default=[ALL],
        metavar="FORMAT",
        help=f"formats to write: {', '.join(FORMATS)}; {ALL} means every format except pt2 whose libraries are"
        f" installed; pt alone is the quickest (default: {ALL})",
    )
    add(
        "--calibration",
        type=Path,
        metavar="LIST",
        help="frames to calibrate INT8 with (default: the data set's train.txt)",
    )
    add(
        "--golden",
        type=positive,
        metavar="N",
        help="also write N frames with their answers, as test data for a service",
    )
    add("--draw", action="store_true", help="show the network before and after folding, and write both as ONNX files")
    add("--network", help="name of the network, if the weights are from another project")
    add(
        "--config",
        type=Path,
        help="recipe with the limits in its gate section (default: config/default.json, or config/detector.json for a"
        " detector)",
    )
    add(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="change one key of the recipe, such as gate.frames=1000; may be repeated",
    )
    arguments = parser.parse_args()

    checkpoint = read_weights(arguments)
    task, config = task_of(checkpoint.network), read_recipe(arguments, checkpoint.network)
    frames, training = read_lists(arguments, checkpoint)
    formats = installed_formats() if ALL in arguments.formats else list(dict.fromkeys(arguments.formats))
    if arguments.golden and not {"pt", "bf16"} & set(formats):
        raise InputError("--golden: it holds whole frames, and only pt and bf16 files resize all; add pt to --formats")
    size, threads = checkpoint.preprocessing, choose_threads(None)
    judged = gate_frames(task, frames, config.gate.frames, size, threads)
    calibration = None
    if "int8" in formats:
        calibration = calibration_frames(task, training, config.gate.calibration_frames, size, threads)
    recorded = checkpoint.metrics.get(task.best_by) if frames.sha256 == checkpoint.data.get("val_sha256") else None
    if arguments.draw:
        operators, drawn = draw_fold(checkpoint, arguments.output)
        print("\n".join([operators, *(f"written: {path}" for path in drawn)]))
    print(f"testing on {len(judged.frames)} frames of {frames.source}", flush=True)
    if checkpoint.known is None and task_name(checkpoint.network) == CLASSIFICATION:
        print(NO_SCORE)
    conversion = convert(
        checkpoint,
        arguments.output,
        judged,
        formats=formats,
        calibration=calibration,
        limits=config.gate,
        recorded=recorded,
    )
    print_conversion(conversion, checkpoint)
    if arguments.golden:
        folder = arguments.output / f"{checkpoint.network}_golden"
        comparison = task.comparison.of_checkpoint(checkpoint)
        resizing = next(path for path in conversion.files if path.suffix == ".pt")
        write_golden(folder, load_runner(resizing, "cpu"), comparison, judged.paths[: arguments.golden])
        print(f"written: {folder}/golden.json, with the frames beside it")


def read_recipe(arguments: argparse.Namespace, network: str) -> Config:
    """The recipe of --config, or that of the network."""
    return read_config(arguments.config or RECIPES / recipe_name(network), arguments.set)


def read_weights(arguments: argparse.Namespace) -> Checkpoint:
    """The checkpoint, or one made of another project's weights; InputError if its classes differ from those of -c."""
    count = int(arguments.classes) if (arguments.classes or "").isdecimal() else None
    class_names = read_class_names(Path(arguments.classes)) if arguments.classes and count is None else None
    if arguments.network:
        if class_names is None:
            raise InputError(
                "--network: weights of another project hold no class names; give the class file with -c FILE"
            )
        preprocessing = read_recipe(arguments, arguments.network).preprocessing()
        checkpoint, kind = adopt_weights(arguments.weights, arguments.network, class_names, preprocessing)
        print(f"weights of {kind}: {arguments.weights}")
        return checkpoint
    checkpoint = load_checkpoint(arguments.weights)
    held = len(checkpoint.class_names)
    if count not in (None, held):
        raise InputError(f"-c {count}: {arguments.weights} has {held} classes; give -c {held} or leave -c out")
    if class_names not in (None, checkpoint.class_names):
        raise InputError(
            f"-c {arguments.classes}: its classes, or their order, differ from those of {arguments.weights}; leave -c"
            " out, because the checkpoint holds its class names"
        )
    return checkpoint


def read_lists(arguments: argparse.Namespace, checkpoint: Checkpoint) -> tuple[FileList, FileList]:
    """(frames to test on, frames to calibrate INT8 with); both are the same if there is no training list."""
    source, root = arguments.input, arguments.root
    if source is None:
        source = Path(checkpoint.data.get("folder", ""))
        root = root or (Path(checkpoint.data["root"]) if checkpoint.data.get("root") else None)
        if not (source / VAL_LIST).is_file():
            raise InputError(
                f"{arguments.weights}: the data set it was trained on is not here; give frames to test the conversion"
                " on with -i: a data set, a list or a folder of images"
            )

    def read(path: Path) -> FileList:
        frames = task_of(checkpoint.network).read_list(path, len(checkpoint.class_names), root)
        require_same_classes(frames, checkpoint.class_names, arguments.weights)
        return frames

    if source.is_dir() and not (source / VAL_LIST).is_file():
        frames = list_of_images(source)
    else:
        frames = read(source / VAL_LIST if source.is_dir() else source)
    beside = frames.source.parent / TRAIN_LIST
    calibration = arguments.calibration or (beside if beside.is_file() else None)
    return frames, read(calibration) if calibration else frames


def print_conversion(conversion: Conversion, checkpoint: Checkpoint) -> None:
    """Print the fold, the table and the files."""
    print(f"folded: {conversion.parameters_trained:,} -> {conversion.parameters_deployed:,} parameters")
    print(
        "largest difference between the outputs of the folded and the trained network, relative to the largest one:"
        f" {conversion.fold_difference:.1e} in float64"
    )
    print(gate_table(task_of(checkpoint.network), conversion.rows))
    for path in conversion.files:
        print(f"written: {path} ({len(checkpoint.class_names)} classes)")
    print(f"written: {conversion.files[0].parent / CONVERSION_FILE}")


if __name__ == "__main__":
    run_command(main)

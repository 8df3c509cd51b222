"""Convert a checkpoint into the files that services load, each judged on real frames.

    python src/main_convert.py -w sv_train/model/repvgg_a0_best.pth
    python src/main_convert.py -w sv_train/model/repvgg_a0_best.pth -i datasets2 --formats pt
    python src/main_convert.py -w RepVGG-A0-train.pth --network repvgg_a0 -c classes.txt -i frames

Writes FOLDER/NETWORK_cpp_deploy.pt (TorchScript): uint8 RGB frames [N, H, W, 3] of any size in, float32
probabilities [N, C] out, with class names and preprocessing inside. It also writes the same network as bf16
TorchScript, ONNX and OpenVINO, and as INT8 OpenVINO where nncf is installed. Batch prediction on a CPU takes the
OpenVINO files by itself, because they are several times as fast. --formats pt is the quick way: it writes the first
file alone. A file whose answers differ from the trained network's by more than the recipe's `gate` allows is not
written, and the status is 2. FOLDER/conversion.json has the table.
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
from game_classifier.lists.filelist import FileList, list_of_images, read_file_list
from game_classifier.lists.manifest import require_same_classes
from game_classifier.models.adopt import adopt_weights
from game_classifier.models.checkpoint import Checkpoint, load_checkpoint
from game_classifier.runtime.runner import load_runner
from game_classifier.tasks.choose import task_of

DEFAULT_CONFIG = Path(__file__).resolve().parents[1] / "config" / "default.json"
ALL = "all"


def main() -> None:
    """Parse, read checkpoint and frames, convert, and print what was measured."""
    parser = CommandParser(__doc__)
    add = parser.add_argument
    add("-w", "--weights", type=Path, required=True, help="checkpoint of src/main_train.py, or weights from elsewhere")
    add(
        "-c",
        "--classes",
        metavar="N_OR_FILE",
        help="number of classes that the checkpoint must have; for weights from elsewhere the class file",
    )
    add("-o", "--output", type=Path, default=Path("save_pt_pth_file"), help="folder (default: %(default)s)")
    add(
        "-i",
        "--input",
        type=Path,
        metavar="DATA",
        help="frames to judge by: a data set, a list or a folder of images (default: the data set of the training)",
    )
    add("--root", type=Path, help="folder that relative paths in the lists stand against (default: the list's)")
    add(
        "--formats",
        nargs="+",
        choices=[*FORMATS, ALL],
        default=[ALL],
        metavar="FORMAT",
        help=f"of {', '.join(FORMATS)}; {ALL}: those but pt2 whose libraries are installed; pt alone is the quick way"
        f" (default: {ALL})",
    )
    add("--calibration", type=Path, metavar="LIST", help="frames for INT8 (default: the data set's train.txt)")
    add("--golden", type=positive, metavar="N", help="write N frames with their probabilities, to test a service by")
    add("--draw", action="store_true", help="show the network before and after folding, and write ONNX of both")
    add("--network", help="for weights from elsewhere: the network they are of")
    add(
        "--config",
        type=Path,
        default=DEFAULT_CONFIG,
        help="recipe with the gate's thresholds (default: config/default.json)",
    )
    add(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="override a key of it, such as gate.frames=1000"
    )
    arguments = parser.parse_args()

    config = read_config(arguments.config, arguments.set)
    checkpoint = read_weights(arguments, config)
    frames, training = read_lists(arguments, checkpoint)
    formats = installed_formats() if ALL in arguments.formats else list(dict.fromkeys(arguments.formats))
    task, size, threads = task_of(checkpoint.network), checkpoint.preprocessing, choose_threads(None)
    judged = gate_frames(task, frames, config.gate.frames, size, threads)
    calibration = None
    if "int8" in formats:
        calibration = calibration_frames(task, training, config.gate.calibration_frames, size, threads)
    recorded = checkpoint.metrics.get(task.best_by) if frames.sha256 == checkpoint.data.get("val_sha256") else None
    if arguments.draw:
        operators, drawn = draw_fold(checkpoint, arguments.output)
        print("\n".join([operators, *(f"written: {path}" for path in drawn)]))
    print(f"judged on {len(judged.frames)} frames of {frames.source}", flush=True)
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
        write_golden(folder, load_runner(conversion.files[0], "cpu"), judged.paths[: arguments.golden])
        print(f"written: {folder}/golden.json, with the frames beside it")


def read_weights(arguments: argparse.Namespace, config: Config) -> Checkpoint:
    """The checkpoint, or one made of weights from elsewhere; InputError when it has not the classes of -c."""
    count = int(arguments.classes) if (arguments.classes or "").isdecimal() else None
    class_names = read_class_names(Path(arguments.classes)) if arguments.classes and count is None else None
    if arguments.network:
        if class_names is None:
            raise InputError("--network: weights from elsewhere name no classes; give their class file by -c FILE")
        checkpoint, kind = adopt_weights(arguments.weights, arguments.network, class_names, config.preprocessing())
        print(f"weights of {kind}: {arguments.weights}")
        return checkpoint
    checkpoint = load_checkpoint(arguments.weights)
    held = len(checkpoint.class_names)
    if count not in (None, held):
        raise InputError(f"-c {count}: {arguments.weights} has {held} classes; give -c {held} or leave it out")
    if class_names not in (None, checkpoint.class_names):
        raise InputError(
            f"-c {arguments.classes}: not the classes of {arguments.weights}, or in another order; leave it out, the"
            " checkpoint holds its own"
        )
    return checkpoint


def read_lists(arguments: argparse.Namespace, checkpoint: Checkpoint) -> tuple[FileList, FileList]:
    """(frames to judge by, frames to calibrate INT8 with); the latter are the former where there are no others."""
    source, root = arguments.input, arguments.root
    if source is None:
        source = Path(checkpoint.data.get("folder", ""))
        root = root or (Path(checkpoint.data["root"]) if checkpoint.data.get("root") else None)
        if not (source / VAL_LIST).is_file():
            raise InputError(
                f"{arguments.weights}: the data set it was trained on is not here; give frames to judge the conversion"
                " by with -i: a data set, a list or a folder of images"
            )

    def read(path: Path) -> FileList:
        frames = read_file_list(path, len(checkpoint.class_names), root)
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
    """The fold, the table and the files."""
    print(f"folded: {conversion.parameters_trained:,} -> {conversion.parameters_deployed:,} parameters")
    print(
        "largest difference of the folded network's logits to the trained one's, relative to the largest logit:"
        f" {conversion.fold_difference:.1e} in float64"
    )
    print(gate_table(task_of(checkpoint.network), conversion.rows))
    for path in conversion.files:
        print(f"written: {path} ({len(checkpoint.class_names)} classes)")
    print(f"written: {conversion.files[0].parent / CONVERSION_FILE}")


if __name__ == "__main__":
    run_command(main)

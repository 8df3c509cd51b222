"""Convert a checkpoint into the file that a C++ service loads.

    python src/main_convert.py -w sv_train/model/repvgg_a0_best.pth
    python src/main_convert.py -w sv_train/model/repvgg_a0_best.pth -c 2 -o save_pt_pth_file

Writes FOLDER/NETWORK_cpp_deploy.pt (TorchScript): uint8 RGB frames [N, H, W, 3] of any size in, float32
probabilities [N, C] out, with class names and preprocessing in its extra file meta.json.
Next: python src/main_predict.py -w FOLDER/NETWORK_cpp_deploy.pt -i datasets2/val.txt
"""

from pathlib import Path

from game_classifier.command import CommandParser, run_command
from game_classifier.deploy.export import convert
from game_classifier.errors import InputError
from game_classifier.models.checkpoint import load_checkpoint


def main() -> None:
    """Parse, convert, and print what was checked."""
    parser = CommandParser(__doc__)
    parser.add_argument("-w", "--weights", type=Path, required=True, help="checkpoint of src/main_train.py")
    parser.add_argument(
        "-c", "--classes", type=int, metavar="N", help="number of classes that the checkpoint must have"
    )
    parser.add_argument(
        "-o", "--output", type=Path, default=Path("save_pt_pth_file"), help="folder (default: %(default)s)"
    )
    arguments = parser.parse_args()

    checkpoint = load_checkpoint(arguments.weights)
    held = len(checkpoint.class_names)
    if arguments.classes not in (None, held):
        raise InputError(
            f"-c {arguments.classes}: {arguments.weights} has {held} classes; give -c {held} or leave it out"
        )
    report = convert(checkpoint, arguments.output)
    print(f"folded: {report.parameters_trained:,} -> {report.parameters_deployed:,} parameters")
    print(
        "largest difference of the folded network's logits to the trained one's, relative to the largest logit:"
        f" {report.fold_difference_float64:.1e} in float64, {report.fold_difference_float32:.1e} in float32"
    )
    print(
        "largest difference of probabilities, deploy file read back against the trained network:"
        f" {report.file_difference:.1e}"
    )
    print(f"written: {report.path} ({report.path.stat().st_size / 1e6:.1f} MB, {held} classes)")


if __name__ == "__main__":
    run_command(main)

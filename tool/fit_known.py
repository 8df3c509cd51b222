"""Let a trained network refuse frames that show none of its classes, without training it again.

    python tool/fit_known.py -w sv_train/model/repvgg_a0_best.pth -i datasets2 -o sv_train/model/repvgg_a0_known.pth

src/main_train.py does the same at the end of a training. Use this command for a checkpoint from before, or when the
frames in INPUT/background.txt or the default rate have changed. The weights do not change.
Next: python src/main_convert.py -w OUTPUT
"""

from dataclasses import replace
from pathlib import Path

from game_classifier.command import CommandParser, run_command
from game_classifier.config import Config
from game_classifier.device import choose_threads
from game_classifier.errors import InputError
from game_classifier.lists.dataset import ANNOTATIONS, read_dataset
from game_classifier.models.checkpoint import load_checkpoint, save_checkpoint
from game_classifier.models.fold import fold
from game_classifier.models.frame_network import FrameNetwork
from game_classifier.models.refusals import require_rate
from game_classifier.models.zoo import require_classifier
from game_classifier.tasks.classification.known import known_score
from game_classifier.tasks.classification.known_frames import Reading


def main() -> None:
    """Parse, fit, write the new checkpoint."""
    parser = CommandParser(__doc__)
    add = parser.add_argument
    add("-w", "--weights", type=Path, required=True, help="checkpoint of src/main_train.py")
    add("-i", "--input", type=Path, required=True, help="data set that it was trained on")
    add("-o", "--output", type=Path, required=True, help="checkpoint to write")
    add("--root", type=Path, help="folder of the relative paths in the lists (default: INPUT)")
    add(
        "--refuse",
        type=float,
        metavar="RATE",
        help="share of known frames that may be refused by default, 0 to 0.5 (default: the checkpoint's recipe)",
    )
    add("--seed", type=int, default=0, help="seed of the made-up frames and of the fit (default: %(default)s)")
    arguments = parser.parse_args()

    checkpoint = load_checkpoint(arguments.weights)
    require_classifier(arguments.weights, checkpoint.network)
    dataset = read_dataset(arguments.input, arguments.root)
    if dataset.class_names != checkpoint.class_names:
        raise InputError(
            f"{arguments.input / ANNOTATIONS}: its classes, or their order, differ from those of {arguments.weights};"
            " give the data set that the checkpoint was trained on"
        )
    rate = arguments.refuse
    if rate is None:
        rate = checkpoint.config.get("refuse", Config().refuse)
    require_rate(rate)
    network = FrameNetwork(fold(replace(checkpoint, known=None).build()), checkpoint.preprocessing).eval()
    reading = Reading(checkpoint.preprocessing, Config().batch_size, choose_threads(None))
    fitted = known_score(network, dataset, reading, (None, None), rate, arguments.seed)
    if fitted.known is None:
        raise InputError(f"{arguments.weights}: {fitted.sentence}")
    print(fitted.sentence)
    save_checkpoint(arguments.output, replace(checkpoint, known=fitted.known))
    print(f"written: {arguments.output}")


if __name__ == "__main__":
    run_command(main)

"""Train a network on a data set.

    python src/main_train.py -n repvgg_a0 -i datasets2 -o sv_train
    python src/main_train.py -i datasets2 -o sv_train --set epochs=30 --set lr=0.05 --resume

Reads INPUT/annotations.txt, train.txt and val.txt; the number of classes comes from the data.
Writes OUTPUT/model/NETWORK_best.pth and NETWORK_last.pth, metrics.jsonl, curves.png and config.json.
Next: python src/main_convert.py -w OUTPUT/model/NETWORK_best.pth
"""

from pathlib import Path

from game_classifier.command import CommandParser, run_command
from game_classifier.config import read_config
from game_classifier.data.dataset import read_dataset
from game_classifier.training.fit import fit

DEFAULT_CONFIG = Path(__file__).resolve().parents[1] / "config" / "default.json"


def main() -> None:
    """Parse, read the recipe and the data, train."""
    parser = CommandParser(__doc__)
    parser.add_argument("-n", "--network", help="network to train (default: the recipe's)")
    parser.add_argument("-i", "--input", type=Path, required=True, help="data set, as tool/get_annotation.py leaves it")
    parser.add_argument("-o", "--output", type=Path, required=True, help="folder for checkpoints, log and curves")
    parser.add_argument("--config", type=Path, default=DEFAULT_CONFIG, help="recipe (default: config/default.json)")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="override a key of the recipe, such as epochs=30 or augment.zoom=0.3; may be repeated",
    )
    parser.add_argument(
        "--root", type=Path, help="folder that relative paths in the lists stand against (default: INPUT)"
    )
    parser.add_argument(
        "--resume",
        action="store_true",
        help="go on after the last whole epoch in OUTPUT, or start where there is none",
    )
    arguments = parser.parse_args()

    overrides = arguments.set + ([f'network="{arguments.network}"'] if arguments.network else [])
    config = read_config(arguments.config, overrides)
    dataset = read_dataset(arguments.input, arguments.root)
    best = fit(config, dataset, arguments.output, arguments.resume)
    print(f"best checkpoint: {best}")


if __name__ == "__main__":
    run_command(main)

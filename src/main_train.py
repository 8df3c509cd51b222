"""Train a network on a data set.

    python src/main_train.py -n repvgg_a0 -i datasets2 -o sv_train
    python src/main_train.py -i datasets2 -o sv_train --set epochs=30 --set lr=0.05 --resume
    python src/main_train.py -i datasets2 -o sv_folds --fold all
    python src/main_train.py -n yolov5n_detector -i boxes -o sv_detector
    torchrun --nproc_per_node 4 src/main_train.py -i datasets2 -o sv_train
    python src/main_train.py --list-networks

Reads INPUT/annotations.txt, train.txt and val.txt, and for a detector the label files beside the images. The number of
classes comes from annotations.txt.
Writes OUTPUT/model/NETWORK_best.pth and NETWORK_last.pth, metrics.jsonl and .csv, curves.png, confusion.png and
config.json, and events for TensorBoard if it is installed. Ctrl-C saves the state; --resume continues from it.
Next: python src/main_convert.py -w OUTPUT/model/NETWORK_best.pth
"""

import argparse
from pathlib import Path
from typing import Any, NoReturn

from game_classifier.command import CommandParser, run_command
from game_classifier.config import read_config
from game_classifier.console import progress, table
from game_classifier.errors import InputError
from game_classifier.models.zoo import recipe_name
from game_classifier.tasks.choose import task_of
from game_classifier.training.fit import fit
from game_classifier.training.folds import find_folds, fold_output, summarize_folds
from game_classifier.training.world import join_world, leave_world

RECIPES = Path(__file__).resolve().parents[1] / "config"


class ListNetworks(argparse.Action):
    """An option that prints the networks and ends the command: like --help, it needs none of the required options."""

    def __init__(self, option_strings: list[str], dest: str, **settings: Any) -> None:
        super().__init__(option_strings, dest, nargs=0, **settings)

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> NoReturn:
        """Print a row for each network."""
        from game_classifier.models.cost import COST_HEADER, cost_rows  # its counter is slow to import
        from game_classifier.models.zoo import NETWORKS

        rows = list(progress(cost_rows(), desc="count", total=len(NETWORKS), unit="network", leave=False))
        print(table("Networks with 1000 classes, detectors with 80", COST_HEADER, rows, first_number=2))
        print("Any other name of timm.list_models() works too.")
        parser.exit()


def main() -> None:
    """Parse, read the recipe and the data, train."""
    parser = CommandParser(__doc__)
    parser.add_argument("-n", "--network", help="network to train (default: the recipe's)")
    parser.add_argument(
        "--list-networks",
        action=ListNetworks,
        help="print the networks with their parameters, multiply-adds and sources, then exit",
    )
    parser.add_argument(
        "-i", "--input", type=Path, required=True, help="data set with the lists of tool/get_annotation.py"
    )
    parser.add_argument("-o", "--output", type=Path, required=True, help="folder for checkpoints, log and curves")
    parser.add_argument(
        "--config",
        type=Path,
        help="recipe (default: config/default.json; for a detector config/detector.json, or config/picodet.json for"
        " picodet_s, picodet_m and picodet_l)",
    )
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="change one key of the recipe, such as epochs=30 or augment.zoom=0.3; may be repeated",
    )
    parser.add_argument("--root", type=Path, help="folder of the relative paths in the lists (default: INPUT)")
    parser.add_argument(
        "--resume",
        action="store_true",
        help="continue from the last checkpoint in OUTPUT, or start a new training if there is none",
    )
    parser.add_argument(
        "--fold",
        metavar="K",
        help="folds to train, such as 2 or 1,3 or all: trains on INPUT/lists/foldK into OUTPUT/foldK, and prints a"
        " table of the folds",
    )
    arguments = parser.parse_args()

    overrides = arguments.set + ([f'network="{arguments.network}"'] if arguments.network else [])
    recipe = arguments.config or RECIPES / recipe_name(arguments.network or "")
    config = read_config(recipe, overrides)
    task = task_of(config.network)
    inputs = {arguments.output: arguments.input}
    if arguments.fold:
        folds = find_folds(arguments.input, arguments.fold)
        inputs = {fold_output(arguments.output, number): folder for number, folder in folds.items()}
    elif not (arguments.input / "train.txt").exists() and (arguments.input / "lists").is_dir():
        raise InputError(
            f"{arguments.input}: holds folds and no train.txt; give --fold all, or --fold with some of them"
        )
    world = join_world()
    for output, folder in inputs.items():
        best = fit(config, task.read_dataset(folder, arguments.root), output, arguments.resume, world)
        if world.is_first:
            print(f"best checkpoint: {best}")
    if arguments.fold and world.is_first:
        print(summarize_folds(arguments.output, config.network))
    leave_world(world)


if __name__ == "__main__":
    run_command(main)

"""Measure what the branches and the activation of a Rep network change in its scores, by training it in each form.

    python scripts/measure_forms.py -i demo/objects/frames -o forms --set image_size=192 --set epochs=3

The forms: the network as it is, with LeakyReLU(0.1) for each SiLU, and plain, without the extra branches of its RepVGG
blocks. The plain repyolov5s_detector is YOLOv5s of v5.0. All train with the same recipe and the same seeds. Writes
OUTPUT/forms.md and .csv after each training, with the scores of its best epoch. The same command continues after an
interruption. Only this script can read the checkpoints of the other forms. How much time the forms take is measured by
scripts/compare_forms.py.
"""

import json
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
from torch import nn

from game_classifier.command import CommandParser, run_command
from game_classifier.compare.forms import LEAKY, PLAIN, kinds_of, require_branches
from game_classifier.compare.table import Table, csv_text
from game_classifier.config import read_config
from game_classifier.models.zoo import NETWORKS, build_model, recipe_name
from game_classifier.storage import make_folder, write_text
from game_classifier.tasks.choose import task_of
from game_classifier.training.fit import fit
from game_classifier.training.log import LOG

ROOT = Path(__file__).resolve().parents[1]
NAMES = {"": "as it is", LEAKY: "LeakyReLU(0.1) for SiLU", PLAIN: "without branches"}


def main() -> None:
    """Parse, train each form with each seed, write after each."""
    parser = CommandParser(__doc__)
    add = parser.add_argument
    add("-n", "--network", default="repyolov5s_detector", help="network with RepVGG blocks (default: %(default)s)")
    add("-i", "--input", type=Path, required=True, help="data set, as for src/main_train.py")
    add("-o", "--output", type=Path, required=True, help="folder for the trainings and the table")
    add("--seeds", type=int, nargs="+", default=[0, 1, 2], help="seeds to train with (default: 0 1 2)")
    add("--set", action="append", default=[], metavar="KEY=VALUE", help="change a key of the recipe; may be repeated")
    arguments = parser.parse_args()
    require_branches(arguments.network, build_model(arguments.network, 2))
    forms = register_forms(arguments.network)
    recipe = ROOT / "config" / recipe_name(arguments.network)
    settings = {
        (seed, form): read_config(recipe, [*arguments.set, f"seed={seed}", f'network="{name}"'])
        for seed in arguments.seeds
        for form, name in forms.items()
    }
    task = task_of(arguments.network)
    dataset, out = task.read_dataset(arguments.input, None), make_folder(arguments.output)
    scores: dict[str, dict[int, float]] = {form: {} for form in forms}
    for (seed, form), config in settings.items():
        folder = out / f"{config.network}_seed{seed}"
        fit(config, dataset, folder, resume=True)
        epochs = map(json.loads, (folder / LOG).read_text(encoding="utf-8").splitlines())
        scores[form][seed] = max(epoch[task.best_by] for epoch in epochs)
        title = f"{arguments.network}: {task.curves[task.best_by]}, {config.image_size} pixels, {config.epochs} epochs"
        table = write(out, scores, title)
    print(table.text())
    print(f"written: {out}/forms.md, forms.csv")


def register_forms(network: str) -> dict[str, str]:
    """Give the zoo the other forms of a network; returns the name of each form's network."""
    names = {"": network}
    for kind in kinds_of(build_model(network, 2)):
        if kind:
            names[kind] = f"{network}_{kind.lower()}"
            NETWORKS[names[kind]] = replace(NETWORKS[network], build=partial(build_form, network, kind))
    return names


def build_form(network: str, kind: str, num_classes: int) -> nn.Module:
    """One of `kinds_of` the network, with fresh weights."""
    return kinds_of(build_model(network, num_classes))[kind]


def write(out: Path, scores: Mapping[str, Mapping[int, float]], title: str) -> Table:
    """Write a row for each form: the score of each seed, and what they come to."""
    done = {form: own for form, own in scores.items() if own}
    seeds = sorted({seed for own in done.values() for seed in own})
    rows, figures = [], []
    for form, own in done.items():
        values = [100 * own[seed] for seed in sorted(own)]
        shown = {f"seed {seed}": f"{100 * own[seed]:.2f}" if seed in own else "" for seed in seeds}
        rows.append([NAMES[form], *shown.values(), f"{np.mean(values):.2f}"])
        figures.append({"form": NAMES[form], **shown, "mean": float(np.mean(values))})
    table = Table(title, ["Form", *(f"seed {seed}" for seed in seeds), "mean"], rows)
    write_text(out / "forms.md", table.markdown())
    write_text(out / "forms.csv", csv_text(figures))
    return table


if __name__ == "__main__":
    run_command(main)

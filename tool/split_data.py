"""Divide class folders into OUT/train and OUT/val, with the frames of one recording on one side.

    python tool/split_data.py --source my_games --out datasets2
    python tool/split_data.py --source demo/games --out demo/datasets2 --group-by '(?P<group>.*)_\\d+\\.jpg'

Next: python tool/get_annotation.py --dataset OUT
"""

from pathlib import Path

from game_classifier.command import CommandParser, run_command
from game_classifier.data.folders import list_class_folders
from game_classifier.data.placing import write_split
from game_classifier.data.split import choose_validation, group_key
from game_classifier.errors import InputError


def main() -> None:
    """Parse, choose the validation groups, place the files, and say what went where."""
    parser = CommandParser(__doc__)
    parser.add_argument("--source", type=Path, required=True, help="folder with one folder of images for each class")
    parser.add_argument("--out", type=Path, required=True, help="where train/ and val/ go")
    parser.add_argument(
        "--val-rate",
        type=float,
        default=0.2,
        help="share of each class for validation (default: %(default)s)",
    )
    parser.add_argument(
        "--group-by",
        metavar="REGEX|parent",
        help="images of one group stay on one side: a regular expression with a named group `group`, searched in"
        " the path below --source, or each image's folder (default: each image is its own group)",
    )
    parser.add_argument(
        "--mode",
        choices=["hardlink", "copy", "symlink"],
        default="hardlink",
        help="hard links fall back to copies where the file system has none (default: %(default)s)",
    )
    parser.add_argument("--seed", type=int, default=0, help="(default: %(default)s)")
    arguments = parser.parse_args()
    if not 0 < arguments.val_rate < 1:
        raise InputError(f"--val-rate {arguments.val_rate}: give a share between 0 and 1, such as 0.2")

    classes = list_class_folders(arguments.source)
    key = group_key(arguments.group_by)
    validation = choose_validation(classes, arguments.val_rate, key, arguments.seed)
    sides: dict[str, list[str]] = {"train": [], "val": []}
    for paths in classes.values():
        for path in paths:
            sides["val" if key(path) in validation else "train"].append(path)
    settings = {
        "source": str(arguments.source),
        "val_rate": arguments.val_rate,
        "group_by": arguments.group_by,
        "seed": arguments.seed,
    }
    placed = write_split(arguments.source, arguments.out, sides, arguments.mode, settings)

    ways = ", ".join(f"{count} by {way}" for way, count in placed.items())
    print(
        f"{len(classes)} classes: {len(sides['train'])} images in {arguments.out / 'train'},"
        f" {len(sides['val'])} in {arguments.out / 'val'} ({ways})"
    )
    if arguments.group_by is None:
        print(
            "Each image was split for itself. If there are several frames of one recording, the validation accuracy"
            " will flatter: use --group-by."
        )


if __name__ == "__main__":
    run_command(main)

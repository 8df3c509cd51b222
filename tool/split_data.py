"""Split class folders into OUT/train and OUT/val, and keep the frames of one recording on one side.

    python tool/split_data.py --source my_games --out datasets2
    python tool/split_data.py --source demo/games --out demo/datasets2 --group-by '(?P<group>.*)_\\d+\\.jpg'
    python tool/split_data.py --source my_games --out datasets2 --time-blocks 10 --test-rate 0.1
    python tool/split_data.py --source my_games --out datasets2 --group-by parent --folds 5

With --folds K, the sides are OUT/fold1 to OUT/foldK.
Next: python tool/get_annotation.py --dataset OUT
"""

from pathlib import Path

from game_classifier.command import CommandParser, positive, run_command
from game_classifier.datasets.split import choose_folds, choose_parts, group_by_time, group_images
from game_classifier.datasets.split_folders import write_split
from game_classifier.errors import InputError
from game_classifier.lists.folders import list_class_folders
from game_classifier.pages.tables import class_counts_table

PARTS = {"train", "val", "valid", "validation", "test"}  # folders of data sets that are split already


def main() -> None:
    """Parse, choose the groups of each side, place the files, and print how many went where."""
    parser = CommandParser(__doc__)
    add = parser.add_argument
    add("--source", type=Path, required=True, help="folder with one folder of images for each class")
    add("--out", type=Path, required=True, help="folder for train/ and val/")
    add("--val-rate", type=float, default=0.2, help="share of each class for validation (default: %(default)s)")
    add("--test-rate", type=float, default=0.0, help="share of each class for OUT/test (default: no test part)")
    add("--folds", type=positive, help="make this many parts of equal size instead, for cross-validation")
    add(
        "--group-by",
        metavar="REGEX|parent",
        help="keep the images of one group on one side: `parent` groups the images of one folder; a regular expression"
        " groups the images with the same text in its named group `group`, searched in the path below --source"
        " (default: each image is its own group)",
    )
    add(
        "--time-blocks",
        type=positive,
        metavar="N",
        help="sort the images of each folder by name, and cut them into N groups of neighbours",
    )
    add(
        "--mode",
        choices=["hardlink", "copy", "symlink"],
        default="hardlink",
        help="how to place the images; hard links become copies if the file system has none (default: %(default)s)",
    )
    add("--seed", type=int, default=0, help="another seed gives another split (default: %(default)s)")
    arguments = parser.parse_args()
    shares = require_consistent(arguments)
    require_apart(arguments.source, arguments.out)

    classes = list_class_folders(arguments.source)
    if "train" in classes and len(classes) > 1 and classes.keys() <= PARTS:
        raise InputError(
            f"{arguments.source}: holds {' and '.join(classes)}, so it is split already; rename them to train, val and"
            f" test where needed, and run tool/get_annotation.py --dataset {arguments.source}"
        )
    if arguments.time_blocks:
        groups = group_by_time(classes, arguments.time_blocks)
    else:
        groups = group_images(classes, arguments.group_by)
    if arguments.folds:
        parts = choose_folds(classes, groups, arguments.folds, arguments.seed)
    else:
        parts = choose_parts(classes, groups, shares, arguments.seed)
    sides: dict[str, list[str]] = {part: [] for part in sorted(set(parts.values()))}
    for path, group in groups.items():
        sides[parts[group]].append(path)
    names = ("source", "val_rate", "test_rate", "folds", "group_by", "time_blocks", "seed")
    settings = {name: getattr(arguments, name) for name in names} | {"source": str(arguments.source)}
    placed = write_split(arguments.source, arguments.out, sides, arguments.mode, settings)

    counts = {
        name: {side: sum(parts[groups[path]] == side for path in paths) for side in sides}
        for name, paths in classes.items()
    }
    print(class_counts_table(counts))
    ways = ", ".join(f"{count} by {way}" for way, count in placed.items())
    print(f"{len(classes)} classes, {len(groups)} images in {arguments.out} ({ways})")
    if arguments.group_by is None and arguments.time_blocks is None:
        print(
            "Each image is its own group. If several frames come from one recording, the validation accuracy will be"
            " too high: use --group-by or --time-blocks."
        )


def require_consistent(arguments) -> dict[str, float]:
    """Return the shares of the sides besides training; InputError for options that contradict each other."""
    shares = {"val": arguments.val_rate} | ({"test": arguments.test_rate} if arguments.test_rate else {})
    if not all(0 < share < 1 for share in shares.values()) or sum(shares.values()) >= 1:
        raise InputError(
            f"--val-rate {arguments.val_rate}, --test-rate {arguments.test_rate}: give shares above 0 that leave"
            " something for training, such as 0.2 and 0.1"
        )
    if arguments.folds == 1:
        raise InputError("--folds 1: give at least 2")
    if arguments.folds and arguments.test_rate:
        raise InputError("--folds with --test-rate: split the test part off first, then make folds of its train folder")
    if arguments.group_by is not None and arguments.time_blocks is not None:
        raise InputError("--group-by with --time-blocks: give one of the two")
    return shares


def require_apart(source: Path, out: Path) -> None:
    """Raise InputError when one folder lies in the other: the next split would find the frames of this one again."""
    real_source, real_out = source.resolve(), out.resolve()
    if real_out == real_source:
        where = "is --source itself"
    elif real_source in real_out.parents:
        where = f"lies inside --source {source}"
    elif real_out in real_source.parents:
        where = f"holds --source {source}"
    else:
        return
    raise InputError(f"--out {out}: {where}; choose a folder beside the source, such as {real_source.parent / 'split'}")


if __name__ == "__main__":
    run_command(main)

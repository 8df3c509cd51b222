"""Record a data set for a detector: frames with the boxes of what they show, and their lists.

    python tool/record_objects.py --out demo/objects                     # objects of 16 Atari games
    python tool/record_objects.py --out few pong seaquest --episodes 3
    python tool/record_objects.py --out layouts --style stream           # where game, webcam, chat and banner lie

Writes OUT/<game>/images/<episode>_<frame>.png, OUT/<game>/labels/<episode>_<frame>.txt, annotations.txt, train.txt and
val.txt. Whole episodes are for validation. The same seed gives the same files. A game whose folder exists is skipped.
OCAtari, which reads the objects from the emulator's memory, is installed from PyPI into an environment of its own.
"""

import os
import sys
from argparse import Namespace
from collections.abc import Iterator, Sequence
from pathlib import Path

from game_classifier.command import CommandParser, positive, run_command
from game_classifier.console import progress
from game_classifier.datasets.cut_list import relative
from game_classifier.demo.atari import Recording, game_names
from game_classifier.demo.environments import SetupError
from game_classifier.demo.object_games import OBJECTS
from game_classifier.demo.object_recorder import ObjectRecording, record_objects
from game_classifier.demo.recorder import record_games
from game_classifier.demo.stream_style import PARTS
from game_classifier.errors import InputError
from game_classifier.lists.box_list import read_box_list
from game_classifier.lists.classes import append_class_names, read_class_names
from game_classifier.lists.dataset import ANNOTATIONS
from game_classifier.lists.filelist import write_lines
from game_classifier.lists.label_files import IMAGES
from game_classifier.lists.manifest import write_list_manifest


def main() -> int:
    """Parse, record, write the lists, and name the games that failed; status 2 when one did."""
    arguments = parse()
    known = sorted(OBJECTS) if arguments.style == "objects" else game_names()
    unknown = sorted(set(arguments.games) - set(known))
    if unknown:
        raise InputError(f"unknown game {unknown[0]!r}; the {len(known)} games are {', '.join(known)}")
    if arguments.val_episodes >= arguments.episodes:
        raise InputError(
            f"--val-episodes {arguments.val_episodes} of --episodes {arguments.episodes}: none is left for training;"
            " give fewer"
        )
    games = sorted(set(arguments.games)) or sorted(OBJECTS)
    failures = {}
    with progress(total=len(games), unit="game", desc="record") as bar:
        for game, reason in record(arguments, games):
            bar.update()
            if reason:
                failures[game] = reason
    for game, reason in sorted(failures.items()):
        print(f"not recorded: {game}: {reason}", file=sys.stderr)
    print(f"{len(games) - len(failures)} of {len(games)} games in {arguments.out}")
    write_lists(arguments.out, arguments.episodes - arguments.val_episodes)
    return 2 if failures else 0


def parse() -> Namespace:
    """The arguments."""
    parser = CommandParser(__doc__)
    add = parser.add_argument
    add("games", nargs="*", metavar="GAME", help=f"games to record (default: {', '.join(OBJECTS)})")
    add("--out", type=Path, required=True, help="folder for the games' folders and the lists")
    add(
        "--style",
        choices=["objects", "stream"],
        default="objects",
        help="objects: the emulator's own pictures of 160x210 pixels; stream: any of ale-py's games in the layout of"
        " record_games.py --style stream, with the boxes of that layout (default: %(default)s)",
    )
    add(
        "--environment",
        type=Path,
        default=Path("demo/ocatari_env"),
        help="folder for OCAtari's Python environment (default: %(default)s)",
    )
    add("--episodes", type=positive, default=8, help="episodes (seeds) of each game (default: %(default)s)")
    add("--val-episodes", type=positive, default=2, help="how many of them are for validation (default: %(default)s)")
    add("--frames", type=positive, default=20, help="frames to keep of each episode (default: %(default)s)")
    add(
        "--every",
        type=positive,
        default=60,
        help="keep every N-th frame of the emulator, which runs at 60 frames a second (default: %(default)s)",
        metavar="N",
    )
    add("--seed", type=int, default=0, help="another seed gives other frames (default: %(default)s)")
    add(
        "--jobs",
        type=positive,
        default=os.cpu_count(),
        help="games to record at the same time (default: one for each processor, %(default)s)",
    )
    return parser.parse_args()


def record(arguments: Namespace, games: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yield (game, reason it failed or "") as each is recorded."""
    shared = {name: getattr(arguments, name) for name in ("episodes", "frames", "every", "seed")}
    if arguments.style == "stream":
        yield from record_games(
            games, arguments.out, Recording(**shared, width=0, height=0, style="layout"), arguments.jobs
        )
        append_class_names(arguments.out / ANNOTATIONS, PARTS)
        return
    try:
        yield from record_objects(
            games, arguments.out, arguments.environment, ObjectRecording(**shared), arguments.jobs
        )
    except SetupError as error:
        raise InputError(f"{arguments.environment}: {error}") from error


def write_lists(out: Path, train_episodes: int) -> None:
    """Write train.txt, with the first `train_episodes` of each recorded game, and val.txt."""
    class_names = read_class_names(out / ANNOTATIONS)
    parts: dict[str, list[str]] = {"train": [], "val": []}
    for image in sorted(out.glob(f"[!.]*/{IMAGES}/*")):
        episode = int(image.stem.partition("_")[0])
        parts["train" if episode < train_episodes else "val"].append(relative(image, out))
    for part, lines in parts.items():
        if not lines:  # no game could be recorded
            return
        write_lines(out / f"{part}.txt", lines)
        write_list_manifest(out, class_names, [f"{part}.txt"])
        boxes = read_box_list(out / f"{part}.txt", len(class_names)).boxes
        print(f"{part}.txt: {len(lines)} frames, {len(boxes.boxes)} boxes of {len(class_names)} classes")


if __name__ == "__main__":
    run_command(main)

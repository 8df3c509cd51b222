"""Record frames of Atari games into class folders: plain frames for the demo, or frames in the layout of a stream.

    python tool/record_games.py --out demo/games                       # all 104 games
    python tool/record_games.py --out games pong breakout --episodes 2 --style stream

Writes OUT/<game>/<episode>_<frame>.jpg. The same seed gives the same files. A game whose folder exists is skipped.
"""

import os
import sys
from pathlib import Path

from game_classifier.command import CommandParser, run_command
from game_classifier.console import progress
from game_classifier.demo.atari import Recording, game_names
from game_classifier.demo.frame_style import parse_size
from game_classifier.demo.recorder import record_games
from game_classifier.errors import InputError


def main() -> int:
    """Parse, record, and name the games that failed; status 1 when one did."""
    parser = CommandParser(__doc__)
    parser.add_argument("games", nargs="*", metavar="GAME", help="games to record (default: all single-player games)")
    parser.add_argument("--out", type=Path, required=True, help="folder for the class folders")
    parser.add_argument("--episodes", type=int, default=12, help="episodes (seeds) of each game (default: %(default)s)")
    parser.add_argument("--frames", type=int, default=8, help="frames to keep of each episode (default: %(default)s)")
    parser.add_argument(
        "--every",
        type=int,
        default=60,
        help="keep every N-th frame of the emulator, which runs at 60 frames a second (default: %(default)s)",
        metavar="N",
    )
    parser.add_argument("--size", default="1280x720", help="WIDTHxHEIGHT of plain frames (default: %(default)s)")
    parser.add_argument(
        "--style",
        choices=["plain", "stream"],
        default="plain",
        help="stream: letterboxed, with webcam, chat and banner, in varying sizes and qualities (default: %(default)s)",
    )
    parser.add_argument("--seed", type=int, default=0, help="another seed gives other frames (default: %(default)s)")
    parser.add_argument(
        "--jobs",
        type=int,
        default=os.cpu_count(),
        help="games to record at the same time (default: one for each processor, %(default)s)",
    )
    arguments = parser.parse_args()

    known = game_names()
    unknown = sorted(set(arguments.games) - set(known))
    if unknown:
        raise InputError(f"unknown game {unknown[0]!r}; the {len(known)} known games are {', '.join(known)}")
    for name in ("episodes", "frames", "every", "jobs"):
        if getattr(arguments, name) < 1:
            raise InputError(f"--{name} {getattr(arguments, name)}: give 1 or more")
    games = sorted(set(arguments.games)) or known
    recording = Recording(
        episodes=arguments.episodes,
        frames=arguments.frames,
        every=arguments.every,
        **parse_size(arguments.size),
        style=arguments.style,
        seed=arguments.seed,
    )

    failures = {}
    frames_per_game = recording.episodes * recording.frames
    with progress(total=len(games) * frames_per_game, unit="frame", desc="record") as bar:
        for game, reason in record_games(games, arguments.out, recording, arguments.jobs):
            bar.update(frames_per_game)
            if reason:
                failures[game] = reason
    for game, reason in sorted(failures.items()):
        print(f"not recorded: {game}: {reason}", file=sys.stderr)
    print(f"{len(games) - len(failures)} of {len(games)} games, {frames_per_game} frames each, in {arguments.out}")
    return 1 if failures else 0


if __name__ == "__main__":
    run_command(main)

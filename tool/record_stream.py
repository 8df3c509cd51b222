"""Record a programme of Atari games and breaks as a video, with its true timeline, to try src/predict_stream.py on.

    python tool/record_stream.py --out demo/programme.mp4
    python tool/record_stream.py --out day.mp4 --games pong qbert boxing --unknown klax --segments 20 --seconds 10 60
    python tool/record_stream.py --out other.mp4 --unknown klax desktop doom breaks

Writes OUT.mp4 (H.264, or MPEG-4 if PyAV has no H.264 encoder) and OUT.json, the true segments. The same seed gives the
same programme.
"""

from pathlib import Path

from game_classifier.command import CommandParser, positive, run_command
from game_classifier.console import progress
from game_classifier.demo.atari import game_names
from game_classifier.demo.background_sources import SOURCES
from game_classifier.demo.environments import SetupError
from game_classifier.demo.play_source import PlayError
from game_classifier.demo.programme import BREAKS, EMULATOR_RATE, Programme, record_programme
from game_classifier.errors import InputError
from game_classifier.storage import make_folder


def main() -> None:
    """Parse, check, record."""
    parser = CommandParser(__doc__)
    add = parser.add_argument
    add("--out", type=Path, required=True, metavar="OUT.mp4", help="video to write")
    add("--games", nargs="+", metavar="GAME", help="games that are shown (default: all single-player games)")
    add(
        "--unknown",
        nargs="+",
        default=[],
        metavar="NAME",
        help="what to call unknown: games, sources of tool/record_backgrounds.py, or breaks, which are drawn (default:"
        " breaks)",
    )
    add(
        "--environments",
        type=Path,
        default=Path("demo/background_envs"),
        help="folder for the sources' Python environments (default: %(default)s)",
    )
    add("--segments", type=positive, default=12, help="number of segments (default: %(default)s)")
    add(
        "--seconds", type=float, nargs=2, default=(10, 20), metavar=("MIN", "MAX"), help="of a segment (default: 10 20)"
    )
    add("--unknown-share", type=float, default=0.3, help="share of unknown segments (default: %(default)s)")
    add("--fps", type=int, default=30, help="frames a second, a divisor of 60 (default: %(default)s)")
    add("--style", choices=["plain", "stream"], default="stream", help="layout of the frames (default: %(default)s)")
    add("--seed", type=int, default=0, help="another seed gives another programme (default: %(default)s)")
    arguments = parser.parse_args()

    known = game_names()
    games = sorted(set(arguments.games or known) - set(arguments.unknown))
    if absent := sorted((set(games) | set(arguments.unknown)) - {*known, *SOURCES, BREAKS} | set(games) - set(known)):
        sources = f"; --unknown takes {', '.join(SOURCES)} and {BREAKS}, too"
        raise InputError(f"unknown game {absent[0]!r}; the {len(known)} known games are {', '.join(known)}{sources}")
    if len(games) < 2:
        raise InputError("--games: give two games or more that are not among --unknown")
    if arguments.fps < 1 or EMULATOR_RATE % arguments.fps:
        raise InputError(f"--fps {arguments.fps}: give a divisor of {EMULATOR_RATE}, such as 30")
    shortest, longest = arguments.seconds
    if not 0.5 <= shortest <= longest:
        raise InputError(
            f"--seconds {shortest:g} {longest:g}: give the shortest length, at least 0.5, then the longest"
        )
    programme = Programme(
        games=tuple(games),
        unknown=tuple(sorted(set(arguments.unknown))),
        segments=arguments.segments,
        seconds=(shortest, longest),
        unknown_share=arguments.unknown_share,
        width=1280,
        height=720,
        fps=arguments.fps,
        style=arguments.style,
        seed=arguments.seed,
    )
    make_folder(arguments.out.absolute().parent)
    with progress(total=arguments.segments, unit="segment", desc="record") as bar:
        try:
            for _ in record_programme(programme, arguments.out, arguments.environments):
                bar.update()
        except (SetupError, PlayError) as error:
            raise InputError(f"--unknown: {error}") from None
    print(f"{arguments.out}, and its true segments in {arguments.out.with_suffix('.json')}")


if __name__ == "__main__":
    run_command(main)

"""Record frames that show none of the demo's games: other games, and screens without a game.

    python tool/record_backgrounds.py --out backgrounds                         # all sources
    python tool/record_backgrounds.py --out streams doom pyxel --style stream   # two sources, as a stream shows them

Writes OUT/<source>/<game>_<episode>_<frame>.jpg. The same seed gives the same files. A source whose folder exists is
skipped. The packages of each source are installed from PyPI into an environment of its own, because they clash.
"""

import os
import sys
from pathlib import Path

from game_classifier.command import CommandParser, positive, run_command
from game_classifier.console import progress
from game_classifier.demo.background_recorder import BackgroundRecording, record_backgrounds
from game_classifier.demo.background_sources import SOURCES
from game_classifier.demo.frame_style import parse_size
from game_classifier.errors import InputError


def main() -> int:
    """Parse, record, and name the sources that failed; status 2 when one did."""
    parser = CommandParser(__doc__)
    parser.epilog = "sources:\n" + "\n".join(f"  {name:<13} {source.about}" for name, source in SOURCES.items())
    add = parser.add_argument
    add("sources", nargs="*", metavar="SOURCE", help="sources to record (default: all)")
    add("--out", type=Path, required=True, help="folder for the sources' folders")
    add(
        "--environments",
        type=Path,
        default=Path("demo/background_envs"),
        help="folder for the sources' Python environments (default: %(default)s)",
    )
    add(
        "--frames",
        type=positive,
        default=96,
        help="frames of each source, spread over its games (default: %(default)s)",
    )
    add("--per-episode", type=positive, default=3, help="frames of one episode at most (default: %(default)s)")
    add("--size", default="1280x720", help="WIDTHxHEIGHT of plain frames (default: %(default)s)")
    add(
        "--style",
        choices=["plain", "stream"],
        default="plain",
        help="stream: letterboxed, with webcam, chat and banner, in varying sizes and qualities (default: %(default)s)",
    )
    add("--seed", type=int, default=0, help="another seed gives other frames (default: %(default)s)")
    add(
        "--jobs",
        type=positive,
        default=os.cpu_count(),
        help="sources to record at the same time (default: one for each processor, %(default)s)",
    )
    arguments = parser.parse_args()

    unknown = sorted(set(arguments.sources) - set(SOURCES))
    if unknown:
        raise InputError(f"unknown source {unknown[0]!r}; the {len(SOURCES)} known sources are {', '.join(SOURCES)}")
    sources = {name: SOURCES[name] for name in sorted(set(arguments.sources)) or SOURCES}
    recording = BackgroundRecording(
        frames=arguments.frames,
        per_episode=arguments.per_episode,
        **parse_size(arguments.size),
        style=arguments.style,
        seed=arguments.seed,
    )
    failures = {}
    with progress(total=len(sources), unit="source", desc="record") as bar:
        for name, reason in record_backgrounds(
            sources, arguments.out, arguments.environments, recording, arguments.jobs
        ):
            bar.update()
            if reason:
                failures[name] = reason
    for name, reason in sorted(failures.items()):
        print(f"not recorded: {name}: {reason}", file=sys.stderr)
    print(
        f"{len(sources) - len(failures)} of {len(sources)} sources, {recording.frames} frames each, in {arguments.out}"
    )
    return 2 if failures else 0


if __name__ == "__main__":
    run_command(main)

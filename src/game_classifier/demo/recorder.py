"""Records many games, each in a process of its own, since a ROM can abort the process that loads it."""

import multiprocessing
import signal
from collections.abc import Iterator, Sequence
from multiprocessing.connection import Connection
from pathlib import Path

from game_classifier.demo.atari import Recording, record_game
from game_classifier.demo.record_each import record_each
from game_classifier.demo.settings import keep_settings
from game_classifier.storage import make_folder


def record_games(games: Sequence[str], out: Path, recording: Recording, jobs: int) -> Iterator[tuple[str, str]]:
    """Record `games` into `out/<game>/`, `jobs` at a time; yield (game, reason it failed or "") as each ends.

    A game whose folder exists is not recorded again. Raises InputError when `out` holds a
    recording made with other settings.
    """
    keep_settings(make_folder(out), recording.settings())
    yield from record_each(games, lambda game: _record_in_process(game, out / game, recording), jobs)


def _record_in_process(game: str, folder: Path, recording: Recording) -> str:
    if folder.exists():
        return ""
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_record_and_report, args=(game, folder, recording, sender), daemon=True)
    process.start()
    sender.close()
    process.join()
    if process.exitcode == 0:
        return receiver.recv()
    if process.exitcode < 0:
        return f"the emulator was ended by {signal.Signals(-process.exitcode).name}"
    return f"the process ended with status {process.exitcode}"


def _record_and_report(game: str, folder: Path, recording: Recording, sender: Connection) -> None:
    try:
        record_game(game, folder, recording)
        sender.send("")
    except Exception as error:  # any error belongs to this game only; the others continue
        sender.send(f"{type(error).__name__}: {error}")

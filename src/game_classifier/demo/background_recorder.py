"""Records background frames: each source in an environment of its own, with one process that plays it."""

import os
import re
import shutil
import subprocess
import tempfile
import zlib
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from game_classifier.demo.background_sources import PLAYERS, Source
from game_classifier.demo.environments import SetupError, last_line, python_of
from game_classifier.demo.frame_style import FrameStyle
from game_classifier.demo.settings import keep_settings
from game_classifier.storage import make_folder, write_json

# No window, no sound, one thread, and sets in the same order each time.
HEADLESS = {
    "SDL_VIDEODRIVER": "dummy,offscreen",  # the first that works; highway-env draws nothing if "dummy" stands alone
    "SDL_AUDIODRIVER": "dummy",
    "MPLBACKEND": "Agg",
    "OMP_NUM_THREADS": "1",
    "PYTHONHASHSEED": "0",
}


@dataclass(frozen=True)
class BackgroundRecording:
    """What to record of each source; equal settings give equal files."""

    frames: int  # of each source, spread evenly over its games
    per_episode: int  # frames of one episode at most
    width: int
    height: int
    style: str  # "plain" or "stream"
    seed: int

    def settings(self) -> dict[str, Any]:
        """Plain values, as the recording's manifest keeps them."""
        return asdict(self)


@dataclass(frozen=True)
class Episode:
    """One episode to play."""

    game: str
    frames: int
    seeds: np.random.SeedSequence  # of the game and of the stream's layout
    folder: Path  # for its screens; its name begins the names of the saved frames

    def request(self) -> dict[str, Any]:
        """What play_episodes.py reads of it."""
        seed = int(self.seeds.generate_state(1)[0])
        return {"game": self.game, "seed": seed, "frames": self.frames, "folder": str(self.folder)}


class PlayError(Exception):
    """A source could not be played; the message is one line."""


def record_backgrounds(
    sources: Mapping[str, Source], out: Path, environments: Path, recording: BackgroundRecording, jobs: int
) -> Iterator[tuple[str, str]]:
    """Record `sources` into `out/<source>/`, `jobs` at a time; yield (source, reason it failed or "") as each ends.

    A source whose folder exists is not recorded again. Raises InputError when `out` holds a
    recording made with other settings.
    """
    keep_settings(make_folder(out), recording.settings())
    with ThreadPoolExecutor(jobs) as pool:
        pending = {
            pool.submit(_record_source, source, out / name, environments / name, recording): name
            for name, source in sources.items()
        }
        try:
            for future in as_completed(pending):
                yield pending[future], future.result()
        finally:  # on Ctrl-C, do not start the sources that still wait
            pool.shutdown(wait=False, cancel_futures=True)


def _record_source(source: Source, folder: Path, environment: Path, recording: BackgroundRecording) -> str:
    if folder.exists():
        return ""
    partial = folder.with_name(f".{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    try:
        python = python_of(source, environment)
        with tempfile.TemporaryDirectory() as screens:
            episodes = list(plan(source.games, recording, Path(screens)))
            _play(python, source, episodes, Path(screens))
            blank = sum(_save(episode, partial, recording) for episode in episodes)
        if blank > recording.frames / 2:
            raise PlayError(f"{blank} of {recording.frames} frames have one colour only")
    except (SetupError, PlayError) as error:
        shutil.rmtree(partial)
        return "; ".join(filter(None, [str(error), source.system]))
    partial.rename(folder)
    return ""


def plan(games: tuple[str, ...], recording: BackgroundRecording, screens: Path) -> Iterator[Episode]:
    """Yield the episodes that give `recording.frames`, spread evenly over all games; a folder in `screens` for each."""
    for number, game in enumerate(games):
        share = (number + 1) * recording.frames // len(games) - number * recording.frames // len(games)
        for episode, taken in enumerate(range(0, share, recording.per_episode)):
            name = re.sub(r"\W+", "_", game.rpartition(":")[2])
            seeds = np.random.SeedSequence([recording.seed, episode, zlib.crc32(game.encode())])
            yield Episode(game, min(recording.per_episode, share - taken), seeds, screens / f"{name}_{episode:02d}")


def play_screens(
    source: Source, game: str, count: int, every: int, seeds: np.random.SeedSequence, environment: Path
) -> Iterator[Image.Image]:
    """Yield `count` RGB screens of one episode, `every` steps apart. Raises SetupError and PlayError."""
    with tempfile.TemporaryDirectory() as folder:
        episode = Episode(game, count, seeds, Path(folder) / "screens")
        _play(python_of(source, environment), replace(source, every=every), [episode], Path(folder))
        for path in sorted(episode.folder.glob("*.png")):
            yield Image.open(path)


def _play(python: Path, source: Source, episodes: list[Episode], folder: Path) -> None:
    """Let the source's Python play the episodes; it writes their screens as `<episode's folder>/<step>.png`."""
    for episode in episodes:
        episode.folder.mkdir()
    request = folder / "request.json"
    write_json(request, {"every": source.every, "episodes": [episode.request() for episode in episodes]})
    command = [python, "-P", PLAYERS / "play_episodes.py", source.player, request]
    answer = subprocess.run(
        command,
        cwd=folder,  # some programs write their settings into the current folder
        env=os.environ | HEADLESS,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    if answer.returncode:
        raise PlayError(last_line(answer.stderr))


def _save(episode: Episode, folder: Path, recording: BackgroundRecording) -> int:
    """Write the episode's frames; return how many of its screens have one colour only."""
    size = (recording.width, recording.height)
    style = FrameStyle(recording.style, size, np.random.default_rng(episode.seeds))
    blank = 0
    for path in sorted(episode.folder.glob("*.png")):
        screen = Image.open(path)
        blank += all(low == high for low, high in screen.getextrema())
        style.save(screen, folder / f"{episode.folder.name}_{path.stem}.jpg")
    return blank

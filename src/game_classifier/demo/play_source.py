"""Plays the episodes of a source, with the Python of its environment."""

import os
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from game_classifier.demo.background_sources import PLAYERS, Source
from game_classifier.demo.environments import last_line, python_of
from game_classifier.storage import write_json

# No window, no sound, one thread, and sets in the same order each time.
HEADLESS = {
    "SDL_VIDEODRIVER": "dummy,offscreen",  # the first that works; highway-env draws nothing if "dummy" stands alone
    "SDL_AUDIODRIVER": "dummy",
    "MPLBACKEND": "Agg",
    "OMP_NUM_THREADS": "1",
    "PYTHONHASHSEED": "0",
}


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


def play_source(python: Path, source: Source, episodes: Sequence[Episode], folder: Path) -> None:
    """Let the source's Python play the episodes; it writes their screens as `<episode's folder>/<step>.png`.

    Raises PlayError.
    """
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


def play_screens(
    source: Source, game: str, count: int, every: int, seeds: np.random.SeedSequence, environment: Path
) -> Iterator[Image.Image]:
    """Yield `count` RGB screens of one episode, `every` steps apart. Raises SetupError and PlayError."""
    with tempfile.TemporaryDirectory() as folder:
        episode = Episode(game, count, seeds, Path(folder) / "screens")
        play_source(python_of(source, environment), replace(source, every=every), [episode], Path(folder))
        for path in sorted(episode.folder.glob("*.png")):
            yield Image.open(path)

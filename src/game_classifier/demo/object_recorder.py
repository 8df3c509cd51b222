"""Records Atari games with the boxes of their objects: `GAME/images/*.png` and `GAME/labels/*.txt`."""

import json
import shutil
import tempfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from game_classifier.demo.environments import python_of
from game_classifier.demo.object_boxes import fitted_boxes
from game_classifier.demo.object_games import OBJECTS, OCATARI, object_classes
from game_classifier.demo.play_source import Episode, PlayError, play_source
from game_classifier.demo.record_each import record_each
from game_classifier.demo.settings import keep_settings
from game_classifier.lists.classes import append_class_names
from game_classifier.lists.dataset import ANNOTATIONS
from game_classifier.lists.label_files import IMAGES, label_path, write_boxes
from game_classifier.storage import make_folder


@dataclass(frozen=True)
class ObjectRecording:
    """What to record of each game; equal settings give equal files."""

    episodes: int
    frames: int  # kept of each episode
    every: int  # emulator frames (1/60 s) between two kept ones
    seed: int

    def settings(self) -> dict[str, Any]:
        """Plain values, as the recording's manifest keeps them."""
        return asdict(self) | {"style": "objects"}


def record_objects(
    games: Sequence[str],
    out: Path,
    environment: Path,
    recording: ObjectRecording,
    jobs: int,
) -> Iterator[tuple[str, str]]:
    """Record `games` into `out/<game>/`, `jobs` at a time; yield (game, reason it failed or "") as each ends.

    Classes that annotations.txt lacks are appended to it. A game whose folder exists is not recorded again. Raises
    InputError when `out` holds a recording made with other settings, and SetupError if `environment` cannot be made.
    """
    keep_settings(make_folder(out), recording.settings())
    class_names = append_class_names(out / ANNOTATIONS, [name for game in games for name in object_classes(game)])
    missing = [game for game in games if not (out / game).exists()]
    python = python_of(OCATARI, environment) if missing else Path()
    index = {name: number for number, name in enumerate(class_names)}

    def record(game: str) -> str:
        if game not in missing:
            return ""
        labels = {category: index[f"{game}/{name}"] for category, name in OBJECTS[game].items()}
        try:
            _record_game(game, out / game, python, recording, labels)
        except PlayError as error:
            return str(error)
        return ""

    yield from record_each(games, record, jobs)


def _record_game(game: str, folder: Path, python: Path, recording: ObjectRecording, labels: Mapping[str, int]) -> None:
    """Write the frames and boxes of a game into `folder`, which appears only when it is complete; PlayError."""
    partial = folder.with_name(f".{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    (partial / IMAGES).mkdir(parents=True)
    label_path(partial / IMAGES / "any.png").parent.mkdir()
    with tempfile.TemporaryDirectory() as screens:
        seeds = [
            np.random.SeedSequence([recording.seed, episode, zlib.crc32(game.encode())])
            for episode in range(recording.episodes)
        ]
        episodes = [
            Episode(game, recording.frames, seed, Path(screens, f"{episode:02d}")) for episode, seed in enumerate(seeds)
        ]
        play_source(python, replace(OCATARI, every=recording.every), episodes, Path(screens))
        for episode in episodes:
            for path in sorted(episode.folder.glob("*.png")):
                objects = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
                boxes = fitted_boxes(np.asarray(Image.open(path)), objects, labels)
                frame = partial / IMAGES / f"{episode.folder.name}_{path.name}"
                shutil.move(path, frame)
                write_boxes(label_path(frame), boxes)
    partial.rename(folder)

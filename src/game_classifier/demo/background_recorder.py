"""Records background frames: each source in an environment of its own, with one process that plays it."""

import re
import shutil
import tempfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from game_classifier.demo.background_sources import Source
from game_classifier.demo.environments import SetupError, python_of
from game_classifier.demo.frame_style import FrameStyle
from game_classifier.demo.play_source import Episode, PlayError, play_source
from game_classifier.demo.record_each import record_each
from game_classifier.demo.settings import keep_settings
from game_classifier.storage import make_folder


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


def record_backgrounds(
    sources: Mapping[str, Source], out: Path, environments: Path, recording: BackgroundRecording, jobs: int
) -> Iterator[tuple[str, str]]:
    """Record `sources` into `out/<source>/`, `jobs` at a time; yield (source, reason it failed or "") as each ends.

    A source whose folder exists is not recorded again. Raises InputError when `out` holds a
    recording made with other settings.
    """
    keep_settings(make_folder(out), recording.settings())
    yield from record_each(
        sources, lambda name: _record_source(sources[name], out / name, environments / name, recording), jobs
    )


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
            play_source(python, source, episodes, Path(screens))
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

"""Plays one Atari game at random and keeps frames of it, with the ROMs that ale-py ships."""

import shutil
import zlib
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from ale_py import ALEInterface, LoggerMode, roms
from PIL import Image

from game_classifier.demo.frame_style import FrameStyle

TWO_PLAYERS_ONLY = {"combat", "joust", "maze_craze", "warlords"}  # ale-py aborts the process on these
# Emulator frames before the first kept one: a viewer joins at any point of the first ten seconds. From the start,
# most games show each episode's first seconds alike, and the split by episode would leak through them.
WARM_UP_FRAMES = (60, 600)


@dataclass(frozen=True)
class Recording:
    """What to record of each game; equal settings give equal files."""

    episodes: int
    frames: int  # kept of each episode
    every: int  # emulator frames (1/60 s) between two kept ones
    width: int
    height: int
    style: str  # "plain" or "stream"
    seed: int

    def settings(self) -> dict[str, Any]:
        """Plain values, as the recording's manifest keeps them."""
        return asdict(self)


def game_names() -> list[str]:
    """Every game that ale-py can play with one player, sorted."""
    return sorted(set(roms.get_all_rom_ids()) - TWO_PLAYERS_ONLY)


def record_game(game: str, folder: Path, recording: Recording) -> None:
    """Write `<episode>_<frame>.jpg` files of `game` into `folder`, which appears only when it is complete."""
    partial = folder.with_name(f".{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    for episode in range(recording.episodes):
        random = np.random.default_rng([recording.seed, episode, zlib.crc32(game.encode())])
        style = FrameStyle(recording.style, (recording.width, recording.height), random)
        for number, screen in play(game, recording, random):
            style.save(screen, partial / f"{episode:02d}_{number:05d}.jpg")
    partial.rename(folder)


def play(game: str, recording: Recording, random: np.random.Generator) -> Iterator[tuple[int, Image.Image]]:
    """Yield (frame number, 160x210 RGB screen) of one episode under random actions.

    An action is held for up to a third of a second, because most games do not move under single-frame noise. A lost
    game starts again.
    """
    ALEInterface.setLoggerMode(LoggerMode.Error)
    ale = ALEInterface()
    ale.setInt("random_seed", int(random.integers(2**31)))
    ale.loadROM(roms.get_rom_path(game))
    actions = ale.getMinimalActionSet()
    first = int(random.integers(*WARM_UP_FRAMES))
    last = first + recording.every * recording.frames
    held, action = 0, actions[0]
    for number in range(1, last + 1):
        if held == 0:
            held, action = int(random.integers(2, 20)), actions[random.integers(len(actions))]
        held -= 1
        ale.act(action)
        if ale.game_over():
            ale.reset_game()
        if number > first and (number - first) % recording.every == 0:
            yield number, Image.fromarray(ale.getScreenRGB())

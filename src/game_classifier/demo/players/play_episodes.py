"""Plays the episodes of one source and writes the frames to keep as PNG files.

    python -P play_episodes.py gym_games.py REQUEST.json

demo/background_recorder.py runs it with the Python of the source's environment, which holds numpy, Pillow and the
source's own packages only. The request has `every` and `episodes`, a list of `game`, `seed`, `frames` and `folder`.

A player is a file with a function `play(game, random)`, a generator that makes one step after each `yield`. It yields a
function that returns the screen of that step: an RGB array uint8 [H, W, 3] or an image. It may return a tuple of the
screen and the objects on it, plain values, which are written beside the PNG file as JSON. Each episode is played in a
fork of this process: many programs can start only once, and some end their process. The player is imported only once.
"""

import json
import multiprocessing
import random as random_of_python
import runpy
import sys
import traceback
from pathlib import Path

import numpy as np
from PIL import Image

WARM_UP = 4  # the first kept frame comes after up to 4 times EVERY steps, so that episodes do not start alike
SECONDS_FOR_AN_EPISODE = 600


def main(player: str, request: Path) -> None:
    """Play all episodes; exit with status 1 and one line at the first that fails."""
    play = runpy.run_path(player)["play"]
    wanted = json.loads(request.read_text(encoding="utf-8"))
    for episode in wanted["episodes"]:
        process = multiprocessing.get_context("fork").Process(
            target=record, args=(play, wanted["every"]), kwargs=episode
        )
        process.start()
        process.join(SECONDS_FOR_AN_EPISODE)
        if process.exitcode is None:
            process.kill()
            sys.exit(f"{episode['game']}: no end after {SECONDS_FOR_AN_EPISODE} s")
        if process.exitcode:
            reason = Path(episode["folder"], "error.txt")
            message = reason.read_text(encoding="utf-8") if reason.exists() else f"ended with status {process.exitcode}"
            sys.exit(f"{episode['game']}: {message}")


def record(play, every: int, game: str, seed: int, frames: int, folder: str) -> None:
    """Write `frames` files `<step>.png` into `folder`, `every` steps apart; on an error, `error.txt` and status 1."""
    random = np.random.default_rng(seed)
    random_of_python.seed(seed)
    np.random.seed(seed)  # some games draw from the global generators
    try:
        first = int(random.integers(WARM_UP * every + 1))
        kept = 0
        for step, screen in enumerate(play(game, random)):
            if step >= first and (step - first) % every == 0:
                image = screen()
                if isinstance(image, tuple):
                    image, objects = image
                    Path(folder, f"{step:05d}.json").write_text(json.dumps(objects), encoding="utf-8")
                if not isinstance(image, Image.Image):
                    image = Image.fromarray(np.asarray(image, np.uint8))
                image.convert("RGB").save(Path(folder, f"{step:05d}.png"), compress_level=1)
                kept += 1
                if kept == frames:
                    return
        raise EOFError(f"the game ended after {kept} of {frames} frames")
    except Exception as error:
        traceback.print_exc()
        reason = " ".join(str(error).split())
        Path(folder, "error.txt").write_text(f"{type(error).__name__}: {reason}", encoding="utf-8")
        sys.exit(1)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))

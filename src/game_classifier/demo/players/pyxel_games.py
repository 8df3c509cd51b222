"""Plays the examples and games that come with Pyxel, without a window; a game is a file such as `07_snake.py`."""

import os
import runpy
import tempfile
import zipfile
from pathlib import Path

import numpy as np
import pyxel

EXAMPLES = Path(pyxel.__file__).parent / "examples"
KEYS = (
    "KEY_LEFT KEY_RIGHT KEY_UP KEY_DOWN KEY_SPACE KEY_RETURN KEY_Z KEY_X KEY_R"
    " GAMEPAD1_BUTTON_DPAD_LEFT GAMEPAD1_BUTTON_DPAD_RIGHT GAMEPAD1_BUTTON_DPAD_UP GAMEPAD1_BUTTON_DPAD_DOWN"
    " GAMEPAD1_BUTTON_A GAMEPAD1_BUTTON_B MOUSE_BUTTON_LEFT"
)


def play(game, random):
    """Yield the screen after each update, which the game makes 20 to 60 times a second."""
    update, draw = load(game, int(random.integers(2**31)))
    keys = [getattr(pyxel, name) for name in KEYS.split()]
    held = 0
    while True:
        if held == 0:
            held = int(random.integers(2, 15))
            down = random.random(len(keys)) < 0.2
            for key, is_down in zip(keys, down, strict=True):
                pyxel.set_btn(key, bool(is_down))
            pyxel.set_mouse_pos(int(random.integers(pyxel.width)), int(random.integers(pyxel.height)))
        held -= 1
        update()
        draw()
        yield screen
        pyxel.flip()


def load(game, seed):
    """Run the game's file up to its call of `pyxel.run`, and return the functions that it gives: update and draw."""
    functions = []
    start = pyxel.init
    file = script(game)
    folder = file if file.is_dir() else file.parent

    def start_without_window(*arguments, **options):
        start(*arguments, **(options | {"headless": True}))
        os.chdir(folder)  # the game's own folder, where it looks for its pictures; `start` went to this file's
        pyxel.rseed(seed)
        pyxel.nseed(seed)

    pyxel.init = start_without_window
    pyxel.run = lambda update, draw: functions.extend([update, draw])
    runpy.run_path(str(file), run_name="__main__")
    return functions


def script(game):
    """What `runpy` runs of a game: its Python file, or the folder of a packed game, whose modules import each other."""
    if not game.endswith(".pyxapp"):
        return EXAMPLES / game
    folder = Path(tempfile.mkdtemp())
    with zipfile.ZipFile(EXAMPLES / "apps" / game) as archive:
        archive.extractall(folder)
    (startup,) = folder.rglob(pyxel.APP_STARTUP_SCRIPT_FILE)
    main = startup.parent / startup.read_text().strip()
    main.rename(main.with_name("__main__.py"))
    return main.parent


def screen():
    """The picture as RGB uint8 [H, W, 3]."""
    palette = np.array([[value >> 16, value >> 8 & 255, value & 255] for value in list(pyxel.colors)], np.uint8)
    width, height = pyxel.width, pyxel.height
    indices = np.frombuffer(pyxel.screen.data_ptr(), np.uint8, width * height)
    return palette[indices.reshape(height, width)]

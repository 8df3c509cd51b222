"""Plays the examples of Arcade with random keys and mouse, without a window; a game is a module such as `snow`."""

import os

os.environ["ARCADE_HEADLESS"] = "True"  # read when arcade is imported: it draws with EGL into a picture

import importlib
import time
import timeit

import arcade

KEYS = [arcade.key.LEFT, arcade.key.RIGHT, arcade.key.UP, arcade.key.DOWN, arcade.key.SPACE, arcade.key.ENTER]
SECONDS = 1 / 60


def play(game, random):
    """Yield the picture after each step of 1/60 s. Keys are held for up to a third of a second."""
    arcade.run = lambda view=None: None  # the loop below runs the game, so that time does not depend on the machine
    # Some examples write onto the screen how long they took.
    time.time = time.perf_counter = timeit.default_timer = lambda: arcade.clock.GLOBAL_CLOCK.time
    importlib.import_module(f"arcade.examples.{game}").main()
    window = arcade.get_window()
    window.switch_to()
    down, held = set(), 0
    while True:
        if held == 0:
            held = int(random.integers(2, 20))
            for key in down:
                window.dispatch_event("on_key_release", key, 0)
            down = {key for key in KEYS if random.random() < 0.25}
            for key in sorted(down):
                window.dispatch_event("on_key_press", key, 0)
            x, y = int(random.integers(window.width)), int(random.integers(window.height))
            window.dispatch_event("on_mouse_motion", x, y, 1, 1)
            window.dispatch_event("on_mouse_press", x, y, arcade.MOUSE_BUTTON_LEFT, 0)
            window.dispatch_event("on_mouse_release", x, y, arcade.MOUSE_BUTTON_LEFT, 0)
        held -= 1
        arcade.clock.GLOBAL_CLOCK.tick(SECONDS)
        window.dispatch_event("on_update", SECONDS)
        window.dispatch_events()  # the calls above only put the events into the window's queue
        yield lambda: draw(window)


def draw(window):
    """Draw the picture, which takes far longer than a step without a graphics card, and return it."""
    window.dispatch_event("on_draw")
    window.dispatch_events()
    return arcade.get_image()

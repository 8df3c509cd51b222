"""Plays Crafter with random actions."""

import itertools

import crafter

SIZE = (640, 640)  # pixels
NUMBERS = itertools.count()


def number(kind, *_):
    """Make an object of Crafter's world with a number of its own."""
    thing = object.__new__(kind)
    thing.number = next(NUMBERS)
    return thing


# Crafter draws lots from sets of objects. Their order would follow the objects' addresses, which differ in each run.
crafter.objects.Object.__new__ = number
crafter.objects.Object.__hash__ = lambda thing: thing.number


def play(game, random):
    """Yield `render` after each step. An action is held for up to ten steps, and a finished game starts again."""
    environment = crafter.Env(size=SIZE, seed=int(random.integers(2**31)))
    finished, held = True, 0
    while True:
        if finished:
            environment.reset()
        if held == 0:
            held, action = int(random.integers(1, 11)), int(random.integers(environment.action_space.n))
        held -= 1
        _, _, finished, _ = environment.step(action)
        yield environment.render

"""Plays an Atari game at random, and reads where its objects are from the emulator's memory with OCAtari.

A game is the name of one of ale-py's ROMs, such as `space_invaders`.
"""

from functools import partial

from ale_py import ALEInterface, LoggerMode, roms
from ocatari.ram.extract_ram_info import detect_objects_ram, init_objects


def play(game, random):
    """Yield the picture and the objects [category, x, y, width, height], in its pixels, of each emulator frame.

    Picture and memory are of one frame. An action is held for up to a third of a second; a lost game starts again.
    """
    ALEInterface.setLoggerMode(LoggerMode.Error)
    ale = ALEInterface()
    ale.setInt("random_seed", int(random.integers(2**31)))
    ale.loadROM(roms.get_rom_path(game))
    actions = ale.getMinimalActionSet()
    name = game.replace("_", "")  # of OCAtari's module
    objects = init_objects(name, True)
    held = 0
    while True:
        if held == 0:
            held, action = int(random.integers(2, 20)), actions[random.integers(len(actions))]
        held -= 1
        ale.act(action)
        if ale.game_over():
            ale.reset_game()
            objects = init_objects(name, True)
        detect_objects_ram(objects, ale.getRAM(), name, True)  # in each step: some objects remember earlier ones
        yield partial(look, ale, objects)


def look(ale, objects):
    """The picture of this step, and the objects that OCAtari holds for visible."""
    return ale.getScreenRGB(), [[each.category, *map(int, each.xywh)] for each in objects if each]

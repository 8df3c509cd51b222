"""Plays Doom with random keys; a game is a scenario of ViZDoom, or a map of Freedoom such as `freedoom2 MAP07`."""

import vizdoom

BUTTONS = [
    vizdoom.Button.ATTACK,
    vizdoom.Button.USE,
    vizdoom.Button.SPEED,
    vizdoom.Button.MOVE_FORWARD,
    vizdoom.Button.MOVE_LEFT,
    vizdoom.Button.MOVE_RIGHT,
    vizdoom.Button.TURN_LEFT,
    vizdoom.Button.TURN_RIGHT,
    vizdoom.Button.SELECT_NEXT_WEAPON,
]
SHARE_HELD = [0.3, 0.2, 0.3, 0.6, 0.15, 0.15, 0.2, 0.2, 0.05]
TICS = 5  # 1/35 s each, of one step


def play(game, random):
    """Yield the screen after each step of 1/7 s. Keys are held for up to 1.4 s, and a finished game starts again."""
    doom = start(game, int(random.integers(2**31)))
    held = 0
    while True:
        if doom.is_episode_finished():
            doom.new_episode()
        if held == 0:
            held, action = int(random.integers(1, 11)), (random.random(len(BUTTONS)) < SHARE_HELD).tolist()
        held -= 1
        doom.make_action(action, TICS)
        if not doom.is_episode_finished():
            yield lambda: doom.get_state().screen_buffer


def start(game, seed):
    """A running game of 640x360 pixels as a player sees it, with weapon, crosshair and status bar."""
    doom = vizdoom.DoomGame()
    if game.startswith("freedoom"):
        archive, level = game.split()
        doom.set_doom_game_path(f"{vizdoom.__path__[0]}/{archive}.wad")
        doom.set_doom_map(level)
        doom.set_episode_timeout(35 * 120)
    else:
        doom.load_config(f"{vizdoom.scenarios_path}/{game}.cfg")
    doom.set_available_buttons(BUTTONS)
    doom.set_available_game_variables([])
    doom.set_screen_format(vizdoom.ScreenFormat.RGB24)
    doom.set_screen_resolution(vizdoom.ScreenResolution.RES_640X360)
    doom.set_mode(vizdoom.Mode.PLAYER)
    doom.set_window_visible(False)
    doom.set_sound_enabled(False)
    doom.set_render_hud(True)
    doom.set_render_crosshair(True)
    doom.set_render_weapon(True)
    doom.set_seed(seed)
    doom.init()
    return doom

"""Plays any Gymnasium environment with random actions; a game is an id such as `minigrid:MiniGrid-Empty-8x8-v0`."""

import gymnasium


def play(game, random):
    """Yield `render` after each step. An action is held for up to ten steps, and a finished game starts again."""
    environment = gymnasium.make(game, render_mode="rgb_array", disable_env_checker=True)
    finished, held = True, 0
    while True:
        if finished:
            environment.reset(seed=int(random.integers(2**31)))
            environment.action_space.seed(int(random.integers(2**31)))  # after the reset: some make a new space in it
        if held == 0:
            held, action = int(random.integers(1, 11)), environment.action_space.sample()
        held -= 1
        _, _, terminated, truncated, _ = environment.step(action)
        finished = terminated or truncated
        yield environment.render

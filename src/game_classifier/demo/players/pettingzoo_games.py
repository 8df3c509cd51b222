"""Plays a PettingZoo game, all its players at random; a game is a module such as `classic.connect_four_v3`."""

import importlib


def play(game, random):
    """Yield `render` after each move of a player. A finished game starts again."""
    environment = importlib.import_module(f"pettingzoo.{game}").env(render_mode="rgb_array")
    for number, agent in enumerate(environment.possible_agents):
        environment.action_space(agent).seed(int(random.integers(2**31)) + number)
    while True:
        environment.reset(seed=int(random.integers(2**31)))
        for agent in environment.agent_iter():
            observation, _, terminated, truncated, information = environment.last()
            if terminated or truncated:
                environment.step(None)
                continue
            mask = information.get("action_mask")
            if mask is None and isinstance(observation, dict):
                mask = observation.get("action_mask")
            environment.step(environment.action_space(agent).sample(mask))
            yield environment.render

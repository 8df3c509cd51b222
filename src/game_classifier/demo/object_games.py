"""The games whose objects are recorded, and OCAtari's categories that are classes.

Left out is what did not pass a look at the pictures: boxes that lag or miss (Asteroids, blocks of Breakout, divers of
Seaquest, fists of Boxing), objects that every second frame hides (ghosts of Ms. Pac-Man), balls of 2x2 pixels (Tennis).
"""

from game_classifier.demo.background_sources import PLAYERS, Source

# Game, a ROM of ale-py -> OCAtari's category -> its class, whose full name is `game/class`.
OBJECTS = {
    "berzerk": {"Player": "player", "Enemy": "enemy"},
    "carnival": {"Rabbit": "rabbit", "Duck": "duck", "Owl": "owl"},
    "demon_attack": {"Enemy": "enemy", "Lives": "lives"},
    "donkey_kong": {"Player": "player", "DonkeyKong": "donkey_kong", "Barrel": "barrel"},
    "fishing_derby": {"Fish": "fish", "Shark": "shark", "ScorePlayerOne": "score", "ScorePlayerTwo": "score"},
    "freeway": {"Chicken": "chicken", "Car": "car", "Score": "score"},
    "frostbite": {"Player": "player", "FloatingBlock": "floating_block"},
    "kangaroo": {"Player": "player", "Fruit": "fruit"},
    "phoenix": {"Player": "player", "Phoenix": "phoenix"},
    "pong": {"Player": "player", "Enemy": "enemy", "Ball": "ball", "PlayerScore": "score", "EnemyScore": "score"},
    "pooyan": {"Enemy": "enemy", "Balloon": "balloon"},
    "riverraid": {"FuelDepot": "fuel_depot", "House": "house"},
    "seaquest": {"Player": "player", "Shark": "shark", "Lives": "lives"},
    "skiing": {"Player": "player", "Tree": "tree"},
    "space_invaders": {"Player": "player", "Alien": "alien", "Shield": "shield"},
    "tennis": {"Player": "player", "Enemy": "enemy"},
}

OCATARI = Source(
    about="Atari games with the places of their objects, read from memory by OCAtari (MIT)",
    player=PLAYERS / "atari_objects.py",
    requirements=("ocatari==2.2.1", "ale-py==0.12.1", "numpy<2"),  # OCAtari's sums of memory cells need NumPy 1
    games=tuple(OBJECTS),
    every=60,
)


def object_classes(game: str) -> list[str]:
    """The full names of a game's classes, each once."""
    return list(dict.fromkeys(f"{game}/{name}" for name in OBJECTS[game].values()))

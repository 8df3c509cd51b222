"""The sources of background frames: programs from PyPI that show none of the demo's games."""

from dataclasses import dataclass
from pathlib import Path

PLAYERS = Path(__file__).parent / "players"


@dataclass(frozen=True)
class Source:
    """One source: which packages it needs, the player that runs its games, and the games."""

    about: str
    player: Path  # a program of players/; see play_episodes.py
    requirements: tuple[str, ...]  # pip installs them into the source's own environment; none: it runs in this one
    games: tuple[str, ...]
    every: int  # steps of a game between two kept frames
    system: str = ""  # what it needs that pip cannot install; named when the source fails


def _many(names: str, prefix: str = "", suffix: str = "") -> tuple[str, ...]:
    return tuple(f"{prefix}{name}{suffix}" for name in names.split())


SOURCES = {
    "arcade": Source(
        about="examples of Arcade (MIT): platformers, shooters, puzzles, dialogs",
        player=PLAYERS / "arcade_games.py",
        requirements=("arcade==3.3.3", "numpy>=2"),
        games=_many(
            "astar_pathfinding bouncing_rectangle camera_platform conway_alpha"
            " drawing_text gradients line_of_sight"
            " maze_depth_first maze_recursive minimap_camera particle_fireworks particle_systems perspective"
            " procedural_caves_bsp procedural_caves_cellular pymunk_box_stacks pymunk_pegboard radar_sweep"
            " shape_list_demo_skylines shapes snow sprite_bouncing_coins sprite_collect_coins_background"
            " sprite_enemies_in_platformer sprite_explosion_bitmapped sprite_health sprite_move_scrolling"
            " sprite_moving_platforms sprite_rooms sprite_tiled_map template_platformer transitions"
        ),
        every=60,
        system="Arcade draws with EGL (Debian: apt-get install libegl1 libgl1-mesa-dri)",
    ),
    "crafter": Source(
        about="Crafter (MIT): a world of survival and crafting",
        player=PLAYERS / "crafter_game.py",
        requirements=("crafter==1.8.3",),
        games=("crafter",),
        every=20,
    ),
    "desktop": Source(
        about="drawn here: desktops, text pages, menus, charts, chats, test pictures",
        player=PLAYERS / "desktop_screens.py",
        requirements=(),
        games=_many("windows editor page menu chart chat table notice dialog pattern"),
        every=1,
    ),
    "doom": Source(
        about="ViZDoom (MIT; its engine ZDoom has licences of its own) with Freedoom (BSD): scenarios and maps",
        player=PLAYERS / "doom_games.py",
        requirements=("vizdoom==1.3.2",),
        games=(
            *_many(
                "basic deadly_corridor deathmatch defend_the_center defend_the_line health_gathering"
                " health_gathering_supreme my_way_home predict_position rocket_basic take_cover"
            ),
            *_many("01 02 03 05 07 09 11 13 15 17 19 21 24 27 30", "freedoom2 MAP"),
            *_many("E1M1 E1M3 E1M5 E2M1 E2M3 E2M6 E3M1 E3M4 E4M1 E4M5", "freedoom1 "),
        ),
        every=7,
    ),
    "flappy_bird": Source(
        about="Flappy Bird for Gymnasium (MIT)",
        player=PLAYERS / "gym_games.py",
        requirements=("flappy-bird-gymnasium==0.4.0",),
        games=("flappy_bird_gymnasium:FlappyBird-v0",),
        every=5,
    ),
    "gymnasium": Source(
        about="Gymnasium (MIT): Box2D, classic control and toy text",
        player=PLAYERS / "gym_games.py",
        requirements=("gymnasium[box2d,classic-control,toy-text]==1.4.0",),
        games=_many(
            "Acrobot-v1 BipedalWalker-v3 BipedalWalkerHardcore-v3 CarRacing-v3 CartPole-v1 CliffWalking-v1"
            " FrozenLake-v1 FrozenLake8x8-v1 LunarLander-v3 MountainCar-v0 Pendulum-v1 Taxi-v4"
        ),
        every=20,
    ),
    "highway": Source(
        about="highway-env (MIT): roads from above",
        player=PLAYERS / "gym_games.py",
        requirements=("highway-env==1.12.1",),
        games=_many(
            "exit-v1 highway-v0 intersection-v2 merge-v1 merge-generic-v1 parking-v0 racetrack-v1"
            " racetrack-large-v1 racetrack-oval-v1 roundabout-v1 roundabout-generic-v1 two-way-v0 u-turn-v1",
            "highway_env:",
        ),
        every=3,
    ),
    "memory_gym": Source(
        about="Memory Gym (MIT): spotlights, commands and hidden paths",
        player=PLAYERS / "gym_games.py",
        requirements=("memory-gym==1.0.2",),
        games=_many(
            "SearingSpotlights-v0 Endless-SearingSpotlights-v0 MortarMayhem-v0 Endless-MortarMayhem-v0"
            " MortarMayhem-Grid-v0 MortarMayhemB-v0 MysteryPath-v0 Endless-MysteryPath-v0 MysteryPath-Grid-v0",
            "memory_gym:",
        ),
        every=10,
    ),
    "minigrid": Source(
        about="MiniGrid and BabyAI (Apache-2.0): rooms, mazes, doors and keys",
        player=PLAYERS / "gym_games.py",
        requirements=("minigrid==3.2.0",),
        games=(
            *_many(
                "BlockedUnlockPickup DistShift1 DoorKey-8x8 DoorKey-16x16 Dynamic-Obstacles-8x8 Empty-8x8 Fetch-8x8-N3"
                " FourRooms GoToDoor-8x8 GoToObject-8x8-N2 KeyCorridorS3R3 KeyCorridorS6R3 LavaCrossingS9N3"
                " LavaCrossingS11N5 LavaGapS7 LockedRoom MemoryS13 MultiRoom-N4-S5 MultiRoom-N6 ObstructedMaze-2Dlhb"
                " ObstructedMaze-Full Playground PutNear-8x8-N3 RedBlueDoors-8x8 SimpleCrossingS11N5 Unlock",
                "minigrid:MiniGrid-",
                "-v0",
            ),
            *_many(
                "BossLevel GoToLocal GoToSeq KeyCorridor MoveTwoAcrossS8N9 OneRoomS20 PutNextS7N4 Synth UnlockPickup",
                "minigrid:BabyAI-",
                "-v0",
            ),
        ),
        every=10,
    ),
    "pettingzoo": Source(
        about="PettingZoo (MIT): board and card games, cooperative games",
        player=PLAYERS / "pettingzoo_games.py",
        # Not pettingzoo[classic]: its chess is played with a package under the GPL.
        requirements=("pettingzoo==1.27.0", "box2d==2.3.10", "pygame-ce", "pymunk", "rlcard", "scipy"),
        games=_many(
            "butterfly.knights_archers_zombies_v11 butterfly.pistonball_v6"
            " classic.connect_four_v3 classic.go_v5 classic.leduc_holdem_v4 classic.rps_v2 classic.texas_holdem_v4"
            " classic.texas_holdem_no_limit_v6 classic.tictactoe_v3 sisl.multiwalker_v9 sisl.pursuit_v5"
        ),
        every=5,
    ),
    "photographs": Source(
        about="sample pictures of scikit-image, scikit-learn, matplotlib (most are free of rights, two CC BY)",
        player=PLAYERS / "photographs.py",
        requirements=("scikit-image==0.26.0", "scikit-learn==1.9.1", "matplotlib==3.11.2"),
        games=_many(
            "astronaut.png brick.png camera.png cell.png chelsea.png coffee.png coins.png color.png grass.png"
            " gravel.png horse.png hubble_deep_field.jpg ihc.png microaneurysms.png moon.png motorcycle_left.png"
            " page.png retina.jpg rocket.jpg text.png china.jpg flower.jpg grace_hopper.jpg"
            " Minduka_Present_Blue_Pack.png"
        ),
        every=1,
    ),
    "pyxel": Source(
        about="games and examples of Pyxel (MIT)",
        player=PLAYERS / "pyxel_games.py",
        requirements=("pyxel==2.9.9", "numpy>=2"),
        games=(
            *_many(
                "01_hello_pyxel 02_jump_game 03_draw_api 04_sound_api 06_click_game 07_snake 08_triangle_api 09_shooter"
                " 10_platformer 11_offscreen 12_perlin_noise 14_synthesizer 15_tiled_map_file 16_transform"
                " 18_audio_playback 19_perspective",
                suffix=".py",
            ),
            *_many(
                "30sec_of_daylight cursed_caverns laser-jetman mega_wing megaball space_rescue vortexion",
                suffix=".pyxapp",
            ),
        ),
        every=30,
    ),
}

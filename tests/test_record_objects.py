"""tool/record_objects.py, with a player of our own in place of OCAtari: no test installs anything from a network."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from game_classifier.demo import object_recorder
from game_classifier.demo.environments import SetupError
from game_classifier.demo.object_games import OBJECTS, OCATARI
from game_classifier.demo.players.play_episodes import record
from game_classifier.demo.settings import MANIFEST
from game_classifier.lists.box_list import read_box_list
from game_classifier.lists.classes import read_class_names

PLAYER = """
import numpy as np

def play(game, random):
    step = 0
    while True:
        if game == "seaquest" and step == 9:
            raise IndexError("no such cell")
        picture = np.zeros((210, 160, 3), np.uint8)
        picture[::7] = random.integers(1, 256, 3)
        x, y = random.integers(10, 120, 2)
        picture[y : y + 9, x : x + 12] = 250
        yield lambda: (picture, [["Player", x - 2, y - 1, 16, 11], ["Enemy", 0, 0, 5, 0], ["Ball", 300, 0, 5, 5]])
        step += 1
"""
# `.tolist()`, because JSON knows no numbers of NumPy.
PLAYER = PLAYER.replace("x, y = random.integers(10, 120, 2)", "x, y = random.integers(10, 120, 2).tolist()")
SMALL = ("--episodes", 3, "--val-episodes", 1, "--frames", 2, "--every", 5)


@pytest.fixture
def player(tmp_path, monkeypatch) -> Path:
    path = tmp_path / "player.py"
    path.write_text(PLAYER, encoding="utf-8")
    monkeypatch.setattr(object_recorder, "OCATARI", replace(OCATARI, player=path, requirements=()))
    return path


def files(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*.*"))}


def test_frames_boxes_and_lists_are_written(tmp_path, run, player):
    out = tmp_path / "out"
    done = run("tool/record_objects.py", "pong", "tennis", "--out", out, *SMALL)
    assert done.status == 0
    assert "2 of 2 games" in done.out
    assert "train.txt: 8 frames, 8 boxes of 6 classes" in done.out
    assert "val.txt: 4 frames, 4 boxes of 6 classes" in done.out
    names = read_class_names(out / "annotations.txt")
    assert names == ("pong/player", "pong/enemy", "pong/ball", "pong/score", "tennis/player", "tennis/enemy")
    for part, episodes in (("train", {"00", "01"}), ("val", {"02"})):
        frames = read_box_list(out / f"{part}.txt", len(names))
        assert {Path(path).name[:2] for path in frames.paths} == episodes
        for row, path in enumerate(frames.paths):
            game = Path(path).parts[-3]
            [(label, box)] = frames.boxes.of(row)
            assert names[label] == f"{game}/player"
            bright = np.nonzero((np.asarray(Image.open(path)) == 250).all(axis=2))
            y1, x1, y2, x2 = *np.min(bright, 1), *(np.max(bright, 1) + 1)
            assert box * (160, 210, 160, 210) == pytest.approx([x1, y1, x2, y2], abs=0.01)
    assert not list(out.glob(".*"))
    check = run("tool/check_dataset.py", "--lists", out / "train.txt", "--boxes", "--out", tmp_path / "report")
    assert "box_" not in check.out
    assert "labels_without" not in check.out


def test_the_same_seed_gives_the_same_files_and_another_does_not(tmp_path, run, player):
    for name, seed in (("first", 0), ("same", 0), ("other", 1)):
        assert run("tool/record_objects.py", "pong", "--out", tmp_path / name, "--seed", seed, *SMALL).status == 0
    first, same, other = (files(tmp_path / name) for name in ("first", "same", "other"))
    assert first == same
    assert {name: data for name, data in first.items() if name.endswith(".png")}.items().isdisjoint(other.items())


def test_a_game_that_fails_is_named_and_finished_games_are_kept(tmp_path, run, player):
    out = tmp_path / "out"
    done = run("tool/record_objects.py", "seaquest", "tennis", "--out", out, *SMALL)
    assert done.status == 2
    assert "not recorded: seaquest: seaquest: IndexError: no such cell\n" in done.err
    before = files(out / "tennis")
    player.write_text(PLAYER.replace('game == "seaquest"', "False"), encoding="utf-8")
    again = run("tool/record_objects.py", "pong", "tennis", "seaquest", "--out", out, *SMALL)
    assert again.status == 0
    assert files(out / "tennis") == before
    names = read_class_names(out / "annotations.txt")
    assert names[:3] == ("seaquest/player", "seaquest/shark", "seaquest/lives")  # no index changes its meaning
    assert names[5:] == ("pong/player", "pong/enemy", "pong/ball", "pong/score")
    assert len(read_box_list(out / "train.txt", len(names))) == 12
    player.unlink()
    assert run("tool/record_objects.py", "pong", "tennis", "seaquest", "--out", out, *SMALL).status == 0


def test_what_a_killed_recording_leaves_is_no_part_of_the_data(tmp_path, run, player):
    out = tmp_path / "out"
    for game in ("pong", "tennis"):
        left = out / f".{game}.partial" / "images" / "00_00000.png"
        left.parent.mkdir(parents=True)
        left.write_bytes(b"half a picture")
    assert run("tool/record_objects.py", "pong", "--out", out, *SMALL).status == 0
    assert [path.name for path in out.glob(".*")] == [".tennis.partial"]  # another run may be at work on it
    assert "partial" not in (out / "train.txt").read_text(encoding="utf-8")
    assert len(list((out / "pong/images").iterdir())) == len(list((out / "pong/labels").iterdir())) == 6


def test_wrong_use_is_refused(tmp_path, run, player, monkeypatch):
    out = tmp_path / "out"

    def error(*arguments) -> str:
        done = run("tool/record_objects.py", "--out", out, *arguments)
        assert done.status == 2
        assert "Traceback" not in done.err
        return done.err

    assert "unknown game 'doom'; the 16 games are berzerk, " in error("doom")
    assert "unknown game 'doom'; the 104 games are " in error("doom", "--style", "stream")
    assert "--val-episodes 3 of --episodes 3: none is left for training" in error("--episodes", 3, "--val-episodes", 3)
    assert "'0' is not a whole number" in error("--frames", 0)
    assert not out.exists()
    assert run("tool/record_objects.py", "pong", "--out", out, *SMALL).status == 0
    before = files(out)
    for changed in (("tennis", "--seed", 3), ("tennis", "--style", "stream")):
        assert f"{out / MANIFEST}: recorded with other settings" in error(*changed, *SMALL)
    assert files(out) == before

    def fails(*_):
        raise SetupError("pip could not install ocatari")

    monkeypatch.setattr(object_recorder, "python_of", fails)
    message = error("tennis", *SMALL, "--environment", tmp_path / "env")
    assert f"error: {tmp_path / 'env'}: pip could not install ocatari" in message


def test_stream_layouts_are_recorded(tmp_path, run):
    out = tmp_path / "out"
    small = ("--episodes", 2, "--val-episodes", 1, "--frames", 1)
    assert run("tool/record_objects.py", "pong", "breakout", "--out", out, "--style", "stream", *small).status == 0
    assert read_class_names(out / "annotations.txt") == ("game", "webcam", "chat", "banner")
    for part in ("train", "val"):
        frames = read_box_list(out / f"{part}.txt", 4)
        assert len(frames) == 2
        assert all(0 in frames.boxes.of(row)["class"] for row in range(2))


def test_a_player_may_give_objects_with_the_picture(tmp_path):
    picture = np.zeros((4, 5, 3), np.uint8)

    def play(game, random):
        while True:
            yield lambda: (picture, [[game, 1, 2, 3, 4]])

    record(play, every=1, game="pong", seed=0, frames=2, folder=str(tmp_path))
    assert len(list(tmp_path.glob("*.png"))) == 2
    assert [path.read_text() for path in tmp_path.glob("*.json")] == ['[["pong", 1, 2, 3, 4]]'] * 2


def test_the_environment_is_described():
    assert OCATARI.player.is_file()
    assert any(each.startswith("ocatari==") for each in OCATARI.requirements)
    assert OCATARI.games == tuple(OBJECTS)

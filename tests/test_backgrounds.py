"""Recording background frames, with players of our own: no test installs anything from a network."""

import subprocess
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from game_classifier.demo import environments
from game_classifier.demo.background_recorder import BackgroundRecording, plan, record_backgrounds
from game_classifier.demo.background_sources import SOURCES, Source
from game_classifier.demo.environments import SetupError, python_of
from game_classifier.demo.settings import MANIFEST
from game_classifier.errors import InputError

PLAYER = """
import os
import random as random_of_python
import numpy as np

def play(game, random):
    step = 0
    while game != "short" or step < 3:
        if game == "broken" and step == 2:
            raise ValueError("no\\nsuch level")
        if game == "crash":
            os.abort()
        picture = np.full((90, 160, 3), step % 256, np.uint8)
        picture[:30] = random.integers(256, size=(30, 160, 3))
        picture[30:60] = random_of_python.randrange(256)
        yield lambda: picture * (game != "blank")
        step += 1
"""


def recording(**changes) -> BackgroundRecording:
    values = {"frames": 7, "per_episode": 2, "width": 320, "height": 180, "style": "plain", "seed": 0}
    return BackgroundRecording(**values | changes)


@pytest.fixture
def source(tmp_path) -> Source:
    player = tmp_path / "player.py"
    player.write_text(PLAYER, encoding="utf-8")
    return Source(about="", player=player, requirements=(), games=("one", "module:Two-v0"), every=5)


def record(sources, out: Path, settings: BackgroundRecording) -> dict[str, str]:
    return dict(record_backgrounds(sources, out, out.parent / "environments", settings, jobs=2))


def files(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*.jpg"))}


@pytest.mark.parametrize("style", ["plain", "stream"])
def test_the_same_seed_gives_the_same_files_and_another_does_not(tmp_path, source, style):
    for name, seed in (("first", 0), ("same", 0), ("other", 1)):
        assert record({"fake": source}, tmp_path / name, recording(style=style, seed=seed)) == {"fake": ""}
    first, same, other = (files(tmp_path / name) for name in ("first", "same", "other"))
    episodes = [name.rpartition("_")[0] for name in first]
    assert episodes == ["fake/Two_v0_00"] * 2 + ["fake/Two_v0_01"] * 2 + ["fake/one_00"] * 2 + ["fake/one_01"]
    steps = [int(name.rpartition("_")[2].removesuffix(".jpg")) for name in first]
    assert [steps[1] - steps[0], steps[3] - steps[2], steps[5] - steps[4]] == [5, 5, 5]
    assert max(steps[::2]) <= 20  # four times `every`
    assert first == same
    assert first != other
    assert len(set(first.values())) == 7
    assert not list(tmp_path.glob("*/.*"))
    if style == "plain":
        assert all(Image.open(path).size == (320, 180) for path in tmp_path.rglob("*.jpg"))


def test_frames_are_spread_over_all_games(tmp_path):
    for frames, games in ((96, 13), (5, 12), (96, 1)):
        names = tuple(f"game {number}" for number in range(games))
        episodes = list(plan(names, recording(frames=frames, per_episode=3), tmp_path))
        shares = [sum(episode.frames for episode in episodes if episode.game == name) for name in names]
        assert sum(shares) == frames
        assert max(shares) - min(shares) <= 1
        assert max(episode.frames for episode in episodes) <= 3
        assert len({episode.folder for episode in episodes}) == len(episodes)


def test_a_source_that_fails_is_named_in_one_line_and_the_others_go_on(tmp_path, source):
    sources = {name: replace(source, games=("one", name)) for name in ("broken", "short", "crash")}
    sources["blank"] = replace(source, games=("blank",))
    missing = replace(source, player=tmp_path / "none.py", system="needs a screen")
    results = record({**sources, "missing": missing, "good": source}, tmp_path / "out", recording(frames=12))
    assert results["good"] == ""
    assert results["broken"] == "broken: ValueError: no such level"
    assert results["short"].startswith("short: EOFError: the game ended after ")
    assert results["crash"] == "crash: ended with status -6"
    assert results["blank"] == "12 of 12 frames have one colour only"
    assert results["missing"].startswith("FileNotFoundError: ")
    assert results["missing"].endswith("; needs a screen")
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["good", MANIFEST]


def test_a_recorded_source_is_skipped_and_other_settings_are_refused(tmp_path, source):
    out = tmp_path / "out"
    record({"fake": source}, out, recording())
    before = files(out)
    record({"fake": replace(source, player=tmp_path / "none.py"), "new": source}, out, recording())
    assert len(files(out)) == 14
    assert before.items() <= files(out).items()
    with pytest.raises(InputError, match=f"{MANIFEST}: recorded with other settings"):
        record({"fake": source}, out, recording(seed=1))


def test_desktop_screens_differ_and_have_content(tmp_path):
    games = SOURCES["desktop"].games
    settings = recording(frames=2 * len(games), width=1280, height=720)
    assert record({"desktop": SOURCES["desktop"]}, tmp_path / "out", settings) == {"desktop": ""}
    frames = files(tmp_path / "out")
    assert len(set(frames.values())) == 2 * len(games)
    for path in (tmp_path / "out").rglob("*.jpg"):
        assert np.asarray(Image.open(path).convert("L")).std() > 1, path


def test_every_source_is_complete():
    for name, source in SOURCES.items():
        assert name.replace("_", "").isalnum()
        assert source.player.is_file(), name
        assert source.about
        assert len(set(source.games)) == len(source.games), name


def wheel(folder: Path, version: str) -> Path:
    """A package `fakegame` with one module."""
    path = folder / f"fakegame-{version}-py3-none-any.whl"
    information = f"fakegame-{version}.dist-info"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("fakegame.py", f"VERSION = '{version}'\n")
        archive.writestr(f"{information}/METADATA", f"Metadata-Version: 2.1\nName: fakegame\nVersion: {version}\n")
        archive.writestr(
            f"{information}/WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr(f"{information}/RECORD", "")
    return path


@pytest.mark.slow
def test_a_source_gets_an_environment_of_its_own(tmp_path, source, monkeypatch):
    monkeypatch.setattr(environments, "ALWAYS", ())
    monkeypatch.chdir(tmp_path)
    folder = Path("environments", "fake")
    old, new = (replace(source, requirements=(str(wheel(tmp_path, version)),)) for version in ("1.0", "2.0"))

    def version(python: Path) -> str:
        program = "import fakegame; print(fakegame.VERSION)"
        return subprocess.run(
            [python, "-c", program], capture_output=True, text=True, check=True, cwd="/"
        ).stdout.strip()

    assert version(python_of(old, folder)) == "1.0"
    made = (folder / "pyvenv.cfg").stat().st_ino
    assert version(python_of(old, folder)) == "1.0"
    assert (folder / "pyvenv.cfg").stat().st_ino == made  # a complete environment is used again
    assert version(python_of(new, folder)) == "2.0"
    missing = replace(source, requirements=(str(tmp_path / "none.whl"),))
    with pytest.raises(SetupError, match=r"^pip could not install .*none\.whl: .*none\.whl") as caught:
        python_of(missing, folder)
    assert "\n" not in str(caught.value)


def test_the_command_records_names_what_failed_and_refuses_wrong_use(tmp_path, run, source, monkeypatch):
    def record_command(*arguments):
        return run("tool/record_backgrounds.py", *arguments)

    out = tmp_path / "out"
    unknown = record_command("tetris", "--out", out)
    assert unknown.status == 2
    assert f"unknown source 'tetris'; the {len(SOURCES)} known sources are arcade, " in unknown.error
    assert "--size 12: give WIDTHxHEIGHT" in record_command("desktop", "--out", out, "--size", 12).error
    assert "'0' is not a whole number" in record_command("desktop", "--out", out, "--frames", 0).error
    assert all(f"\n  {name} " in record_command("--help").out for name in SOURCES)
    monkeypatch.setitem(SOURCES, "pyxel", replace(source, games=("broken",)))
    done = record_command("desktop", "pyxel", "--out", out, "--frames", 3, "--size", "320x180")
    assert done.status == 2
    assert "not recorded: pyxel: broken: ValueError: no such level\n" in done.err
    assert f"1 of 2 sources, 3 frames each, in {out}" in done.out
    assert len(files(out)) == 3

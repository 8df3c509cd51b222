import json
import os
import shutil
from pathlib import Path

import pytest
from conftest import make_class_folders

from game_classifier.datasets.split import choose_parts, group_images
from game_classifier.datasets.split_folders import IN_PROGRESS, MANIFEST, write_split
from game_classifier.errors import InputError
from game_classifier.lists.folders import list_class_folders

EPISODES = r"(?P<group>.*)_\d+\.jpg"


def place(source: Path, out: Path, mode: str = "hardlink") -> dict[str, int]:
    classes = list_class_folders(source)
    groups = group_images(classes, EPISODES)
    parts = choose_parts(classes, groups, {"val": 0.3}, 0)
    sides: dict[str, list[str]] = {"train": [], "val": []}
    for path, group in groups.items():
        sides[parts[group]].append(path)
    return dict(write_split(source, out, sides, mode, {}))


def images(out: Path) -> set[str]:
    return {path.relative_to(out).as_posix() for path in out.rglob("*.jpg")}


@pytest.mark.parametrize("mode", ["hardlink", "copy", "symlink"])
def test_every_image_is_placed_once(tmp_path, mode):
    source, out = make_class_folders(tmp_path / "source"), tmp_path / "out"
    assert place(source, out, mode) == {mode: 18}
    assert {path.partition("/")[2] for path in images(out)} == images(source)
    assert len(images(out)) == 18
    one = next(out.rglob("*.jpg"))
    original = source / one.relative_to(out).as_posix().partition("/")[2]
    assert one.read_bytes() == original.read_bytes()
    assert one.samefile(original) == (mode != "copy")
    assert sorted(path.name for path in out.iterdir()) == ["split.json", "train", "val"]


def test_where_links_fail_files_are_copied(tmp_path, monkeypatch):
    def refuse(*_):
        raise OSError("no links here")

    monkeypatch.setattr(os, "link", refuse)
    assert place(make_class_folders(tmp_path / "source"), tmp_path / "out") == {"copy": 18}


def test_a_second_split_replaces_the_first(tmp_path):
    source, out = make_class_folders(tmp_path / "source"), tmp_path / "out"
    place(source, out)
    shutil.rmtree(source / "green")
    place(source, out)
    assert {path.split("/")[1] for path in images(out)} == {"red stripes", "蓝色"}


def test_a_split_into_other_sides_takes_the_old_ones_away(tmp_path):
    source, out = make_class_folders(tmp_path / "source"), tmp_path / "out"
    place(source, out)
    sides = {"fold1": sorted(images(source))[:9], "fold2": sorted(images(source))[9:]}
    write_split(source, out, sides, "hardlink", {})
    assert sorted(path.name for path in out.iterdir()) == ["fold1", "fold2", "split.json"]


@pytest.mark.parametrize("before", [False, True])
def test_what_somebody_else_put_there_is_never_deleted(tmp_path, before):
    source, out = make_class_folders(tmp_path / "source"), tmp_path / "out"
    if before:
        place(source, out)
    own = out / "train" / "green" / "mine.txt"
    own.parent.mkdir(parents=True, exist_ok=True)
    own.write_text("mine")
    with pytest.raises(InputError, match=r"mine.txt: this tool did not make this file"):
        place(source, out)
    assert own.read_text() == "mine"


@pytest.mark.parametrize("moves", [0, 1])
def test_an_interrupted_split_is_completed_by_the_next_one(tmp_path, monkeypatch, moves):
    source, out = make_class_folders(tmp_path / "source"), tmp_path / "out"
    place(source, out)
    (source / "green" / "9_9.jpg").write_bytes(b"new")
    rename, made = Path.rename, []

    def stop(self, target):
        if len(made) == moves:
            raise KeyboardInterrupt
        made.append(target)
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", stop)
    with pytest.raises(KeyboardInterrupt):
        place(source, out)
    monkeypatch.undo()
    place(source, out)
    assert {path.partition("/")[2] for path in images(out)} == images(source)
    assert set(json.loads((out / MANIFEST).read_text())["files"]) == images(out)
    assert not (out / IN_PROGRESS).exists()


@pytest.mark.parametrize("mode", ["hardlink", "copy", "symlink"])
def test_frames_replaced_under_their_names_are_placed_anew(tmp_path, mode):
    source, out = make_class_folders(tmp_path / "source"), tmp_path / "out"
    place(source, out, mode)
    before = json.loads((out / MANIFEST).read_text())["frames_sha256"]
    place(source, out, mode)
    assert json.loads((out / MANIFEST).read_text())["frames_sha256"] == before
    one = next(out.rglob("*.jpg"))
    original = source / one.relative_to(out).as_posix().partition("/")[2]
    (tmp_path / "other.jpg").write_bytes(original.read_bytes()[::-1])
    (tmp_path / "other.jpg").replace(original)
    place(source, out, mode)
    assert one.read_bytes() == original.read_bytes()
    assert json.loads((out / MANIFEST).read_text())["frames_sha256"] != before


@pytest.mark.parametrize(
    ("source", "out", "reason"),
    [
        ("games", "games/out", "lies inside --source"),
        ("games", "games/a/new", "lies inside --source"),
        ("games", "elsewhere/../games/out", "lies inside --source"),
        ("games", "link/out", "lies inside --source"),
        ("link", "games/out", "lies inside --source"),
        ("games", "games", "is --source itself"),
        ("games", "link", "is --source itself"),
        ("games/a", "games", "holds --source"),
        (".", "games", "lies inside --source"),
    ],
)
def test_a_split_into_its_own_source_is_refused(tmp_path, run, monkeypatch, source, out, reason):
    make_class_folders(tmp_path / "games", names=("a", "b"))
    make_class_folders(tmp_path / "games" / "a", names=("c", "d"))
    (tmp_path / "link").symlink_to(tmp_path / "games")
    before = sorted(tmp_path.rglob("*"))
    monkeypatch.chdir(tmp_path)
    error = run("tool/split_data.py", "--source", source, "--out", out).error
    assert error.startswith(f"--out {out}: ")
    assert reason in error
    assert sorted(tmp_path.rglob("*")) == before

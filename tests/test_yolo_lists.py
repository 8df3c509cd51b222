"""tool/import_boxes.py --to yolo: YOLO's readers find the images that our lists name."""

from pathlib import Path

import numpy as np
import pytest
import yaml
from box_frames import labelled_picture
from conftest import run_script

from game_classifier.lists.box_list import read_box_list


def as_yolo_reads(path: Path) -> list[Path]:
    """Their rule: ./ at the start stands for the list's folder, and then anywhere; other paths start where they run."""
    folder = f"{path.parent}/"
    lines = path.read_text("utf-8").splitlines()
    return [Path(line.replace("./", folder) if line.startswith("./") else line) for line in lines]


@pytest.mark.parametrize("root", [False, True])
def test_yolo_s_readers_find_the_images_of_our_lists(tmp_path, monkeypatch, root):
    data = tmp_path / "data"
    near = [labelled_picture(data / "images" / name) for name in ("a.png", "b.png", "odd./c.png")]
    far = labelled_picture(tmp_path / "far" / "images" / "d.png")
    lists = data / "lists" if root else data
    lists.mkdir(exist_ok=True)
    (lists / "annotations.txt").write_text("ball 0\n")
    ours = "images/a.png\nimages/b.png\n../far/images/d.png\n"
    (lists / "train.txt").write_text(ours)
    (lists / "val.txt").write_text("images/odd./c.png\nimages/a.png\n")
    options = ("--to", "yolo", "--out", data / "game.yaml", *(["--root", data] if root else []))
    done = run_script("tool/import_boxes.py", lists / "train.txt", *options)
    assert done.status == 0, done.err
    monkeypatch.chdir("/")
    values = yaml.safe_load((data / "game.yaml").read_text("utf-8"))
    train, val = (Path(values[part]) for part in ("train", "val"))
    for path, expected in ((train, [*near[:2], far]), (val, [near[2], near[0]])):
        assert all(one.samefile(other) for one, other in zip(as_yolo_reads(path), expected, strict=True))
        read = read_box_list(path, 1)
        assert all(Path(one).samefile(other) for one, other in zip(read.paths, expected, strict=True))
        np.testing.assert_array_equal(read.boxes.boxes["class"], [0] * len(expected))
    assert train.read_text("utf-8").startswith("./images/a.png\n./images/b.png\n/")
    assert (lists / "train.txt").read_text() == ours  # only a copy is changed

"""scripts/measure_region.py: what --region gains and costs on a list, and what a perfect detector would gain."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from conftest import CLASSES, random_detector
from PIL import Image
from stream_frames import GAME, NAMES, PLACES, SIZE, SQUASH, STREAM, planted, seeing_games, stream_frame, with_answer

from game_classifier.lists.filelist import write_lines
from game_classifier.lists.label_files import BOX, write_boxes
from game_classifier.lists.manifest import write_list_manifest
from game_classifier.runtime.runner import load_runner
from game_classifier.timeline import region

MEASURE = "scripts/measure_region.py"


@pytest.fixture(scope="module")
def weights(tmp_path_factory) -> Path:
    return random_detector(tmp_path_factory.mktemp("region") / "random.pth", SIZE, NAMES)


def cells(out: str) -> dict[str, list[str]]:
    """The rows of the table that the command printed: name -> the other cells."""
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in out.splitlines() if "%" in line]
    return {row[0]: row[1:] for row in rows if row}


def test_the_region_s_gain_and_cost_on_a_list(tmp_path, run, sure, weights, monkeypatch):
    """Nine frames in a page, more than one batch, and one alone."""
    lines = []
    for number in range(10):
        frame = stream_frame(number % 3, None if number == 9 else number % 2)
        Image.fromarray(frame).save(tmp_path / f"{number}.png")
        lines.append(f"{number}.png {sorted(CLASSES).index(CLASSES[number % 3])}\n")
    (tmp_path / "stream.txt").write_text("".join(lines))
    monkeypatch.setattr(region, "load_runner", lambda path: with_answer(load_runner(path), seeing_games, SQUASH))
    options = ("-w", sure, "--region", weights, "--input", tmp_path / "stream.txt")
    done = run(MEASURE, *options)
    assert done.status == 0, done.err
    assert "\n10 frames\n" in done.out
    table = cells(done.out)
    assert list(table) == ["whole", "cut to the region"]
    assert table["cut to the region"][:2] == ["90.00%", "100.00%"]
    assert table["whole"][0] == "0.00%"
    assert float(table["whole"][1].rstrip("%")) < 100

    (tmp_path / "3.png").write_bytes(b"no image")
    assert run(MEASURE, *options).error == (
        f"{tmp_path}/stream.txt:4: {tmp_path}/3.png cannot be read (not_an_image); take the line out"
    )
    (tmp_path / "stream.txt").write_text("0.png\n1.png 0\n")
    assert f"{tmp_path}/stream.txt:1: no class index after the path" in run(MEASURE, *options).error


@pytest.fixture
def layouts(tmp_path) -> Path:
    """As tool/record_objects.py --style stream writes it: CLASS/images/, CLASS/labels/ and a list of paths."""
    lines = []
    for number, name in enumerate(CLASSES):
        for folder in ("images", "labels"):
            (tmp_path / name / folder).mkdir(parents=True)
        for place in (0, 1):
            Image.fromarray(stream_frame(number, place)).save(tmp_path / name / "images" / f"{place}.png")
            boxes = [(NAMES.index("chat"), (0.0, 0.0, 0.3, 0.9)), (GAME, np.array(PLACES[place]) / (STREAM * 2))]
            write_boxes(tmp_path / name / "labels" / f"{place}.txt", np.array(boxes, BOX))
            lines.append(f"{name}/images/{place}.png")
    write_lines(tmp_path / "val.txt", lines)
    write_list_manifest(tmp_path, NAMES, ["val.txt"])
    return tmp_path


def test_a_perfect_detector_s_gain(run, sure, weights, layouts, monkeypatch):
    blind = planted(((0, 0, 1, 1), "game", 0.0))
    monkeypatch.setattr(region, "load_runner", lambda path: with_answer(load_runner(path), blind, SQUASH))
    options = ("-w", sure, "--region", weights, "--input", layouts / "val.txt")
    done = run(MEASURE, *options, "--true-boxes")
    assert done.status == 0, done.err
    table = cells(done.out)
    assert list(table) == ["whole", "cut to the region", "cut to the true box"]
    assert table["whole"][:2] == table["cut to the region"][:2]
    assert float(table["whole"][1].rstrip("%")) < 100
    assert table["cut to the true box"][:2] == ["100.00%", "100.00%"]

    # With the class in each line, and frames beside their labels; a box that is too small, and one of another class.
    for number, name in enumerate(CLASSES):
        for path in (layouts / name).glob("*/0.*"):
            shutil.move(path, layouts / f"{number}{path.suffix}")
    write_boxes(layouts / "1.txt", np.array([(GAME, (0.0, 0.0, 0.1, 1.0))], BOX))
    write_boxes(layouts / "2.txt", np.array([(NAMES.index("chat"), (0.0, 0.0, 1.0, 1.0))], BOX))
    order = sorted(CLASSES)
    write_lines(layouts / "labelled.txt", [f"{number}.png {order.index(name)}" for number, name in enumerate(CLASSES)])
    done = run(MEASURE, *options[:-1], layouts / "labelled.txt", "--true-boxes")
    assert done.status == 0, done.err
    assert cells(done.out)["cut to the true box"][0] == "33.33%"


def test_wrong_frames_for_the_gain_are_one_line(run, sure, weights, layouts):
    options = ("-w", sure, "--region", weights, "--input", layouts / "val.txt")
    label = layouts / CLASSES[0] / "labels" / "1.txt"
    text = label.read_text()
    label.write_text(text.replace("1 0.", "7 0."))
    assert run(MEASURE, *options).status == 0
    assert f"{label}:2: class 7, but" in run(MEASURE, *options, "--true-boxes").error
    label.unlink()
    assert run(MEASURE, *options, "--true-boxes").error == (
        f"{layouts}/val.txt:2: no label file {label}; record such frames with tool/record_objects.py --style stream, or"
        " leave --true-boxes out"
    )
    write_list_manifest(layouts, NAMES[::-1], ["val.txt"])
    assert f"{layouts}/val.txt: made for another class list than {weights}" in run(MEASURE, *options).error
    (layouts / "lists.json").unlink()
    (layouts / CLASSES[1]).rename(layouts / "pong")
    write_lines(layouts / "val.txt", [f"{CLASSES[0]}/images/0.png", "pong/images/0.png"])
    assert run(MEASURE, *options).error == (
        f"{layouts}/val.txt:2: no class index after the path, and its folder 'pong' is no class of {sure}; add the"
        " index"
    )

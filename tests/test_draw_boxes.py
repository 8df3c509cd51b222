"""The picture of frames with the boxes that a detector finds."""

import numpy as np
import pytest
from box_frames import make_box_dataset
from PIL import Image
from test_detector_training import recipe, train

SCRIPT = "scripts/draw_boxes.py"


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    """A data set, and a detector that has hardly learnt."""
    folder = tmp_path_factory.mktemp("drawn")
    data = make_box_dataset(folder / "data", train=4, val=3)
    return data, train(recipe("epochs=1"), data, folder / "out")


def test_frames_of_the_list_are_drawn_with_their_true_boxes(drawn, tmp_path, run):
    data, weights = drawn
    out = tmp_path / "out.png"
    done = run(SCRIPT, "-w", weights, "--input", data / "val.txt", "--frames", 2, "-o", out)
    assert (done.status, done.out) == (0, f"written: {out}\n")
    with_both = np.asarray(Image.open(out).convert("RGB")).astype(int)
    assert run(SCRIPT, "--input", data / "val.txt", "--frames", 2, "-o", out).status == 0
    true_alone = np.asarray(Image.open(out).convert("RGB")).astype(int)
    assert_true_boxes(with_both)
    assert_true_boxes(true_alone)


def assert_true_boxes(pixels: np.ndarray) -> None:
    """The green lines of the boxes are there."""
    assert (abs(pixels - (0, 0xC0, 0)).sum(axis=2) < 30).sum() > 100


def test_what_is_wrong_is_named(drawn, trained, tmp_path, run):
    data, weights = drawn
    nowhere = run(SCRIPT, "-w", weights, "--input", data / "val.txt", "-o", tmp_path / "nowhere" / "out.png")
    assert "nowhere: no such folder; create it" in nowhere.error
    classifier = run(SCRIPT, "-w", trained.best, "--input", data / "val.txt", "-o", tmp_path / "out.png")
    assert "repvgg_tiny is no detector; take scripts/draw_answers.py" in classifier.error
    broken = make_box_dataset(tmp_path / "broken", train=1, val=1)
    (broken / "val/images/000.png").write_bytes(b"\x89PNG no picture")
    for which in (("-w", weights), ()):
        unread = run(SCRIPT, *which, "--input", broken / "val.txt", "-o", tmp_path / "out.png")
        assert "none of the frames can be read; tool/check_dataset.py names them" in unread.error
    assert not (tmp_path / "out.png").exists()

"""The picture of frames and answers."""

import re

import numpy as np
from conftest import CLASSES, run_script
from PIL import Image

SCRIPT = "scripts/draw_answers.py"


def tile(picture: Image.Image, number: int, columns: int) -> np.ndarray:
    left, top = number % columns * 326, number // columns * 210
    return np.asarray(picture.crop((left, top, left + 320, top + 180))).reshape(-1, 3).mean(axis=0)


def caption_is_red(picture: Image.Image, number: int, columns: int) -> bool:
    left, top = number % columns * 326, number // columns * 210 + 180
    red, green, _ = np.asarray(picture.crop((left, top, left + 320, top + 24))).reshape(-1, 3).astype(int).min(axis=0)
    return red > green


def test_frames_are_drawn_in_the_order_of_the_list_with_wrong_answers_in_red(trained, tmp_path, run):
    lines = (trained.dataset / "val.txt").read_text("utf-8").splitlines()
    names = sorted(CLASSES)
    first = {name: next(line for line in lines if f"/{name}/" in line) for name in names}
    chosen = [first[name].rpartition(" ")[0] for name in names]
    listed = tmp_path / "list.txt"
    listed.write_text(
        "".join(f"{trained.dataset / path} {label}\n" for path, label in zip(chosen, [0, 1, 0], strict=True))
    )
    done = run(SCRIPT, "-w", trained.best, "--input", listed, "--columns", 2, "--rows", 2, "-o", tmp_path / "out.jpg")
    assert done.out == f"written: {tmp_path / 'out.jpg'}\n"
    picture = Image.open(tmp_path / "out.jpg")
    assert picture.size == (2 * 326 - 6, 2 * 210 - 6)
    for number, path in enumerate(chosen):
        with Image.open(trained.dataset / path) as frame:
            expected = np.asarray(frame.convert("RGB")).reshape(-1, 3).mean(axis=0)
        assert np.abs(tile(picture, number, 2) - expected).max() < 4
    assert [caption_is_red(picture, number, 2) for number in range(3)] == [False, False, True]


def test_what_is_wrong_is_named(trained, tmp_path):
    def complaint(*arguments) -> str:
        return run_script(SCRIPT, "-w", trained.best, *arguments).error

    (tmp_path / "list.txt").write_text("gone.jpg 0\n")
    gone = complaint("--input", tmp_path / "list.txt", "-o", tmp_path / "out.jpg")
    assert re.fullmatch(r".*list.txt: line 1: .*gone.jpg cannot be read \(missing\); take the line out", gone)
    assert "nowhere: no such folder; create it" in complaint(
        "--input", tmp_path / "list.txt", "-o", tmp_path / "nowhere" / "out.jpg"
    )
    assert not (tmp_path / "out.jpg").exists()

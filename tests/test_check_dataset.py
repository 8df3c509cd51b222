"""tool/check_dataset.py finds what is planted, and nothing in a clean data set."""

import csv
import os
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from game_classifier.checks.inspect_frames import FORMATS
from game_classifier.lists.folders import IMAGE_SUFFIXES

NAMES = ("pong", "space invaders", "蓝色")


def draw_smooth(seed: tuple[int, ...], size: tuple[int, int] = (320, 180)) -> Image.Image:
    """A smooth picture that looks like no other of another seed, as frames of different scenes do."""
    pixels = np.random.default_rng(seed).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    return Image.fromarray(pixels).resize(size, Image.Resampling.BICUBIC)


class Planted:
    """A data set to plant faults in: `train` and `val` are its list lines, `check` runs the command."""

    def __init__(self, folder: Path, run) -> None:
        self.folder, self.run_command = folder, run
        self.lines: dict[str, list[str]] = {"train": [], "val": []}
        (folder / "annotations.txt").write_text("".join(f"{n} {i}\n" for i, n in enumerate(NAMES)), encoding="utf-8")
        for index in range(len(NAMES)):
            for number in range(6):
                self.add("train", f"{index}_{number}.jpg", index, draw_smooth((index, number)))
            for number in range(100, 103):
                self.add("val", f"{index}_{number}.jpg", index, draw_smooth((index, number)))

    def add(self, side: str, name: str, index: int, image: Image.Image | bytes, **options) -> Path:
        """A frame (or bytes) as a file, with its line at the end of the list."""
        path = self.folder / side / name
        path.parent.mkdir(exist_ok=True)
        if isinstance(image, bytes):
            path.write_bytes(image)
        else:
            image.save(path, **{"quality": 95} | options)
        self.lines[side].append(f"{side}/{name} {index}")
        return path

    def check(self, *arguments):
        """Write the lists, run the command; its outcome and its findings as {(kind, path, other): detail}."""
        lists = [self.folder / f"{side}.txt" for side in self.lines]
        for path, lines in zip(lists, self.lines.values(), strict=True):
            path.write_bytes(os.fsencode("".join(f"{line}\n" for line in lines)))
        out = self.folder / "report"
        outcome = self.run_command("tool/check_dataset.py", "--lists", *lists, "--out", out, *arguments)
        if outcome.status == 2:
            return outcome, {}
        with (out / "findings.csv").open(encoding="utf-8", errors="surrogateescape", newline="") as file:
            rows = list(csv.reader(file))
        assert rows[0] == ["kind", "path", "other", "detail"]
        return outcome, {(kind, self.short(path), self.short(other)): detail for kind, path, other, detail in rows[1:]}

    def short(self, path: str) -> str:
        """A path as the list has it."""
        return path.removeprefix(f"{self.folder}{os.sep}")

    def page(self) -> str:
        return (self.folder / "report" / "report.html").read_text(encoding="utf-8")


@pytest.fixture
def planted(tmp_path, run):
    return Planted(tmp_path, run)


def shifted(seed: tuple[int, ...]) -> Image.Image:
    """The picture of `seed` moved by one pixel both ways."""
    frame = draw_smooth(seed)
    moved = frame.copy()
    moved.paste(frame, (1, 1))
    return moved


def test_a_clean_set_gives_no_finding(planted):
    outcome, findings = planted.check()
    assert outcome.status == 0, outcome
    assert findings == {}
    assert "nothing was found" in outcome.out
    assert re.search(r"train\.txt +\| +18 \| +18 \| +0 \| +0 \|", outcome.out)
    assert "Nothing was found" in planted.page()


def test_copies_and_near_copies_across_lists(planted):
    planted.add("val", "copy.jpg", 0, (planted.folder / "train/0_3.jpg").read_bytes())
    planted.add("val", "moved.jpg", 1, shifted((1, 4)), quality=60)
    outcome, findings = planted.check()
    assert outcome.status == 1
    lists = f"{'val.txt'}", f"{'train.txt'}"
    assert set(findings) == {
        ("leakage", *lists),
        ("duplicate_across_lists", "val/copy.jpg", "train/0_3.jpg"),
        ("near_duplicate_across_lists", "val/moved.jpg", "train/1_4.jpg"),
    }
    assert findings["leakage", *lists].startswith("18.18% (2 of 11)")
    page = planted.page()
    assert page.count("data:image/jpeg;base64,") == 4
    assert "http://" not in page
    assert "https://" not in page
    assert all(source.startswith("data:") for source in re.findall(r'(?:src|href)="([^#"][^"]*)"', page))


def test_leakage_up_to_the_limit_is_only_in_the_summary(planted):
    planted.add("val", "moved.jpg", 1, shifted((1, 4)), quality=60)  # 1 of 10
    outcome, findings = planted.check("--max-leakage", 0.1)
    assert outcome.status == 0
    assert findings == {}
    assert re.search(r"\| all +\| +10 \| +1 \| +10\.00 \|", outcome.out)
    outcome, findings = planted.check("--max-leakage", 0.09)
    assert outcome.status == 1
    assert {kind for kind, *_ in findings} == {"leakage", "near_duplicate_across_lists"}


def test_a_darker_frame_of_the_same_steps_is_no_twin(planted):
    planted.add("val", "darker.jpg", 1, draw_smooth((1, 4)).point(lambda value: value * 0.85))
    _, findings = planted.check()
    assert findings == {}


def test_frames_under_two_classes(planted):
    planted.add("train", "same.jpg", 2, (planted.folder / "train/0_3.jpg").read_bytes())
    planted.add("train", "alike.jpg", 2, shifted((1, 2)), quality=60)
    outcome, findings = planted.check()
    assert outcome.status == 1
    assert findings["label_conflict", "train/same.jpg", "train/0_3.jpg"] == "'蓝色' here, 'pong' there; the same bytes"
    assert (
        "'space invaders' here, '蓝色' there; alike" in findings["label_conflict", "train/1_2.jpg", "train/alike.jpg"]
    )
    assert len(findings) == 2


def test_files_that_are_not_what_they_should_be(planted):
    whole = (planted.folder / "train/0_0.jpg").read_bytes()
    planted.add("train", "cut.jpg", 0, whole[: len(whole) // 2])
    planted.add("train", "empty.jpg", 0, b"")
    planted.add("train", "text.jpg", 0, b"no image at all")
    planted.lines["train"].append("train/gone.jpg 0")
    planted.add("train", "really_png.jpg", 0, draw_smooth((0, 50)), format="PNG")
    planted.add("train", "tiny.jpg", 0, draw_smooth((0, 51), (80, 45)))
    planted.add("train", "cmyk.jpg", 0, draw_smooth((0, 52)).convert("CMYK"))
    exif = Image.Exif()
    exif[0x0112] = 6
    planted.add("train", "turned.jpg", 0, draw_smooth((0, 53)), exif=exif)
    planted.add("train", "grey.png", 0, draw_smooth((0, 54)).convert("L"))  # nothing wrong with it
    outcome, findings = planted.check()
    assert re.search(r"train\.txt +\| +27 \| +23 \| +0 \|", outcome.out)
    assert {(kind, path): detail for (kind, path, _), detail in findings.items()} == {
        ("truncated", "train/cut.jpg"): "the data ends early",
        ("unreadable", "train/empty.jpg"): "empty",
        ("unreadable", "train/text.jpg"): "not an image",
        ("unreadable", "train/gone.jpg"): "missing",
        ("wrong_extension", "train/really_png.jpg"): "the content has another format than the name says",
        ("too_small", "train/tiny.jpg"): "80x45",
        ("unusual_mode", "train/cmyk.jpg"): "CMYK",
        ("unusual_mode", "train/turned.jpg"): "RGB, rotated by EXIF",
    }


def test_a_size_that_hardly_any_frame_has(planted):
    for number in range(200, 300):
        planted.add("train", f"{number}.jpg", number % 3, draw_smooth((number,)))
    planted.add("train", "wide.jpg", 0, draw_smooth((9, 9), (400, 180)))
    planted.add("train", "tiny.jpg", 0, draw_smooth((9, 8), (80, 45)))
    _, findings = planted.check()
    assert findings == {
        ("unusual_size", "train/wide.jpg", ""): "400x180, mostly 320x180",
        ("too_small", "train/tiny.jpg", ""): "80x45",
    }


def test_flat_frames_are_counted_and_not_reported(planted):
    random = np.random.default_rng(0)
    for side in ("train", "val"):
        for index in range(3):
            noise = random.integers(0, 4, (180, 320, 3), dtype=np.uint8)
            planted.add(side, f"black_{index}.jpg", index, Image.new("RGB", (320, 180)))
            planted.add(side, f"dark_{index}.jpg", index, Image.fromarray(noise))
    outcome, findings = planted.check()
    assert outcome.status == 0
    assert findings == {}
    assert re.search(r"train\.txt +\| +24 \| +24 \| +6 \| +0 \|", outcome.out)


def test_classes_without_and_with_very_few_frames(planted):
    for number in range(200, 260):
        planted.add("train", f"{number}.jpg", number % 2, draw_smooth((number,)))
    planted.lines["train"] = [line for line in planted.lines["train"] if not line.endswith(" 2")]
    planted.add("train", "rare.jpg", 2, draw_smooth((2, 77)))
    planted.lines["val"] = [line for line in planted.lines["val"] if not line.endswith(" 0")]
    _, findings = planted.check()
    assert findings == {
        ("imbalance", "蓝色", "train.txt"): "1 frames; the median of all classes is 36",
        ("class_without_frames", "pong", "val.txt"): "",
    }


def test_repeats_inside_a_list_are_copies_by_bytes_and_only_counted_when_alike(planted):
    planted.add("train", "again.jpg", 0, (planted.folder / "train/0_3.jpg").read_bytes())
    planted.add("train", "moved.jpg", 1, shifted((1, 4)), quality=60)
    outcome, findings = planted.check()
    assert set(findings) == {("exact_duplicate", "train/again.jpg", "train/0_3.jpg")}
    assert re.search(r"train\.txt +\| +20 \| +20 \| +0 \| +2 \|", outcome.out)


def test_fixed_lists_lack_the_faults_and_the_originals_stay(planted):
    whole = (planted.folder / "train/0_3.jpg").read_bytes()
    strange = os.fsdecode(b"r\xffd.jpg")
    planted.add("train", strange, 0, draw_smooth((5, 5)))
    planted.add("train", "again.jpg", 0, whole)
    planted.add("train", "cut.jpg", 0, whole[:-200])
    planted.add("train", "both.jpg", 2, shifted((1, 2)), quality=60)
    planted.add("val", "copy.jpg", 0, whole)
    planted.add("val", "moved.jpg", 1, shifted((1, 4)), quality=60)
    outcome, _ = planted.check("--fix-lists", "--max-leakage", 1)
    assert "train.fixed.txt, 4 of 22 lines left out" in outcome.out
    assert "val.fixed.txt, 2 of 11 lines left out" in outcome.out
    left_out = {"train/again.jpg 0", "train/cut.jpg 0", "train/both.jpg 2", "train/1_2.jpg 1"}
    left_out |= {"val/copy.jpg 0", "val/moved.jpg 1"}
    for side, lines in planted.lines.items():
        original, fixed = (os.fsdecode((planted.folder / f"{side}{e}.txt").read_bytes()) for e in ("", ".fixed"))
        assert original.splitlines() == lines
        assert fixed.splitlines() == [line for line in lines if line not in left_out]
    for side in planted.lines:
        shutil.copy(planted.folder / f"{side}.fixed.txt", planted.folder / f"{side}_again.txt")
    again = planted.run_command(
        "tool/check_dataset.py", "--out", planted.folder / "again", "--lists",
        *(planted.folder / f"{side}_again.txt" for side in planted.lines),
    )  # fmt: skip
    assert again.status == 0, again


def test_a_fixed_list_without_a_line_is_not_written(planted):
    for path in (planted.folder / "val").rglob("*.jpg"):
        path.write_bytes(b"")
    outcome, _ = planted.check("--fix-lists")
    assert "val.fixed.txt, because no line would be left; see the findings" in outcome.out
    assert not (planted.folder / "val.fixed.txt").exists()
    assert (planted.folder / "train.fixed.txt").exists()


def test_names_of_any_bytes_come_through_csv_and_page(planted):
    name = os.fsdecode(b"<b>\xff.jpg")
    planted.add("train", name, 0, (planted.folder / "train/0_3.jpg").read_bytes())
    _, findings = planted.check()
    assert set(findings) == {("exact_duplicate", f"train/{name}", "train/0_3.jpg")}
    assert r"&lt;b&gt;\udcff.jpg" in planted.page()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--max-leakage", 2), "--max-leakage 2.0: give a share"),
        (("--distance", 40), "--distance 40: give a number"),
        (("--classes", "nowhere.txt"), "nowhere.txt: no such file"),
        (("--threads", 0), "argument --threads"),
    ],
)
def test_wrong_use_ends_with_one_line(planted, arguments, message):
    outcome, _ = planted.check(*arguments)
    assert outcome.error.startswith(message)
    assert len(outcome.err.strip().splitlines()) == 1


def test_bad_lists_end_with_one_line(planted):
    planted.lines["val"].append("val/0_100.jpg")
    assert "val.txt:10: no class index" in planted.check()[0].error
    planted.lines["val"][-1] = "val/0_100.jpg 7"
    assert "class 7 is out of range" in planted.check()[0].error
    train = planted.folder / "train.txt"
    assert "given twice" in planted.run_command("tool/check_dataset.py", "--lists", train, train).error
    fixed = shutil.copy(train, planted.folder / "train.fixed.txt")
    lists = ("--lists", train, fixed, "--fix-lists")
    assert "would replace a list" in planted.run_command("tool/check_dataset.py", *lists).error


def test_every_suffix_that_makes_an_image_has_its_format():
    assert set(FORMATS) == IMAGE_SUFFIXES

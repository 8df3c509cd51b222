"""Boxes from files: label files, lists, the formats of other tools, and the checks of a data set."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import yaml
from conftest import run_script
from PIL import Image, TiffImagePlugin

from game_classifier.errors import InputError
from game_classifier.frames.decode import FrameError, FrameStatus, read_size
from game_classifier.lists.box_list import read_box_list
from game_classifier.lists.label_files import BOX, label_path, read_boxes, write_boxes

NAMES = ("ball", "player one")


def picture(path: Path, size: tuple[int, int] = (160, 80), seed: int = 0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    Image.fromarray(pixels).resize(size, Image.Resampling.BICUBIC).save(path)
    return path


def labels(image: Path, text: str) -> Path:
    path = label_path(image)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


@pytest.fixture
def dataset(tmp_path) -> Path:
    """Three frames: two boxes, one box, and background with an empty file."""
    for seed, (name, text) in enumerate(
        (("a", "0 0.5 0.5 0.5 0.5\n1 0.1 0.2 0.2 0.2\n"), ("b", "1 0.8 0.5 0.4 1\n"), ("c", ""))
    ):
        labels(picture(tmp_path / "images" / f"{name}.png", seed=seed), text)
    (tmp_path / "train.txt").write_text("images/a.png\nimages/b.png\nimages/c.png\n")
    (tmp_path / "annotations.txt").write_text("ball 0\nplayer one 1\n")
    return tmp_path


# Label files.


@pytest.mark.parametrize(
    ("image", "where"),
    [
        ("x/images/day/7.png", "x/labels/day/7.txt"),
        ("images/x/images/7.b.jpg", "images/x/labels/7.b.txt"),
        ("frames/7.jpg", "frames/7.txt"),
        ("a/images.old/7.jpg", "a/images.old/7.txt"),
    ],
)
def test_where_labels_are(image, where):
    assert label_path(image) == Path(where)


def test_boxes_are_corners_within_the_picture(tmp_path):
    (tmp_path / "a.txt").write_text("1 0.9 0.5 0.4 1\n\n0 0.25 0.5 0.5 0.25\n")
    boxes = read_boxes(tmp_path / "a.txt", 2)
    assert boxes["class"].tolist() == [1, 0]
    np.testing.assert_allclose(boxes["box"], [[0.7, 0, 1, 1], [0, 0.375, 0.5, 0.625]], atol=1e-7)
    write_boxes(tmp_path / "b.txt", boxes)
    np.testing.assert_allclose(read_boxes(tmp_path / "b.txt", 2)["box"], boxes["box"], atol=1e-6)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("0 0.5 0.5 0.1 0.1 0.9", "6 columns, but a box has five"),
        ("0 0.5 0.5 0.1", "4 columns"),
        ("0,0.5,0.5,0.1,0.1", "has commas; separate"),
        ("0 0.5 0.5 0.1 wide", "is not five numbers"),
        ("2 0.5 0.5 0.1 0.1", "class 2, but the 2 classes of annotations.txt are 0 to 1"),
        ("-1 0.5 0.5 0.1 0.1", "class -1"),
        ("0.5 0.5 0.5 0.1 0.1", "class 0.5"),
        ("0 nan 0.5 0.1 0.1", "not finite"),
        ("0 0.5 inf 0.1 0.1", "not finite"),
        ("0 0.5 0.5 1e-9 0.1", "a box of 1e-9 x 0.1 has no area"),
        ("0 320 200 64 64", "not within 0 to 1; .* not pixels"),
        ("0 -0.1 0.5 0.1 0.1", "not within 0 to 1"),
    ],
)
def test_a_line_that_is_no_box_is_one_error(tmp_path, line, reason):
    (tmp_path / "a.txt").write_text(f"0 0.5 0.5 0.1 0.1\n{line}\n")
    with pytest.raises(InputError, match=rf"a\.txt:2: .*{reason}") as error:
        read_boxes(tmp_path / "a.txt", 2)
    assert "\n" not in str(error.value)


def test_ten_thousand_boxes_are_one_error(tmp_path):
    (tmp_path / "a.txt").write_text("0 0.5 0.5 0.1 0.1\n" * 10_000)
    with pytest.raises(InputError, match=r"a\.txt:5001: more than 5000 boxes on a frame"):
        read_boxes(tmp_path / "a.txt", 2)


# Lists.


def test_a_list_with_its_boxes_and_sizes(dataset):
    frames = read_box_list(dataset / "train.txt", 2)
    assert [len(frames.boxes.of(row)) for row in range(3)] == [2, 1, 0]
    assert frames.boxes.sizes.tolist() == [[80, 160]] * 3
    some = frames.boxes[np.array([2, 0])]
    assert (some.rows.tolist(), [len(some.of(0)), len(some.of(1))]) == ([2, 0], [0, 2])
    assert some.frame_of_box().tolist() == [1, 1]


def test_changed_labels_change_the_lists_hash(dataset):
    before = read_box_list(dataset / "train.txt", 2).sha256
    assert read_box_list(dataset / "train.txt", 2).sha256 == before
    (dataset / "labels" / "c.txt").write_text("0 0.5 0.5 0.5 0.5\n")
    assert read_box_list(dataset / "train.txt", 2).sha256 != before


def test_a_frame_without_a_label_file_is_background(dataset):
    (dataset / "labels" / "a.txt").unlink()
    assert len(read_box_list(dataset / "train.txt", 2).boxes.of(0)) == 0


def test_a_list_without_any_box_is_an_error(dataset):
    for path in (dataset / "labels").iterdir():
        path.write_text("")
    with pytest.raises(InputError, match=r"train\.txt: no frame has a box; .*labels/a\.txt"):
        read_box_list(dataset / "train.txt", 2)


@pytest.mark.parametrize(
    ("line", "reason"), [("images/a.png 1", "a class index after the path"), ("images/x.png", "no such file")]
)
def test_a_wrong_line_of_a_list_is_an_error(dataset, line, reason):
    (dataset / "train.txt").write_text(f"images/b.png\n{line}\n")
    with pytest.raises(InputError, match=rf"train\.txt:2: {reason}"):
        read_box_list(dataset / "train.txt", 2)


@pytest.mark.parametrize("ending", ["jpg", "png", "webp"])
@pytest.mark.parametrize(("orientation", "size"), [(None, (40, 80)), (3, (40, 80)), (6, (80, 40))])
def test_the_size_of_a_file_is_that_of_the_upright_picture(tmp_path, ending, orientation, size):
    exif = Image.Exif()
    if orientation:
        exif[TiffImagePlugin.Image.ExifTags.Base.Orientation] = orientation
    Image.new("RGB", (80, 40)).save(tmp_path / f"a.{ending}", exif=exif)
    assert read_size(tmp_path / f"a.{ending}") == size


@pytest.mark.parametrize(
    ("content", "status"),
    [(b"", "EMPTY"), (b"text", "NOT_AN_IMAGE"), (b"\xff\xd8\xff", "CORRUPT"), (None, "MISSING")],
)
def test_a_file_without_a_size(tmp_path, content, status):
    if content is not None:
        (tmp_path / "a.jpg").write_bytes(content)
    with pytest.raises(FrameError) as error:
        read_size(tmp_path / "a.jpg")
    assert error.value.status == FrameStatus[status]


# Other tools.


def assert_same_boxes(one: Path, other: Path, tolerance: float) -> None:
    for ours, theirs in zip(*(read_box_list(path, 2).boxes.boxes for path in (one, other)), strict=True):
        assert ours["class"] == theirs["class"]
        np.testing.assert_allclose(ours["box"], theirs["box"], atol=tolerance)


@pytest.mark.parametrize(
    ("form", "target", "tolerance"), [("coco", "all.json", 1e-4), ("voc", "Annotations", 0.51 / 40)]
)
def test_there_and_back(dataset, tmp_path, form, target, tolerance):
    target = dataset / target
    assert run_script("tool/import_boxes.py", dataset / "train.txt", "--to", form, "--out", target).status == 0
    copy = tmp_path / "copy" / "images"
    copy.mkdir(parents=True)
    for image in (dataset / "images").iterdir():
        (copy / image.name).write_bytes(image.read_bytes())
    if form == "coco":
        values = json.loads(target.read_text())
        assert [each["file_name"] for each in values["images"]] == [f"images/{name}.png" for name in "abc"]
        copy = copy.parent  # file names begin with images/
    outcome = run_script("tool/import_boxes.py", target, "--images", copy, "--out", tmp_path / "copy" / "train.txt")
    assert (outcome.status, outcome.err) == (0, "")
    assert "3 frames, 3 boxes, 2 classes" in outcome.out
    assert_same_boxes(dataset / "train.txt", tmp_path / "copy" / "train.txt", tolerance)


def test_a_coco_file_by_hand(tmp_path):
    """Ids with gaps, a crowd, a box beyond the picture and one without area."""
    picture(tmp_path / "images" / "7.png", (80, 40))
    boxes = [(9, [10, 10, 20, 20], 0), (4, [70, 30, 40, 40], 0), (4, [5, 5, 0, 3], 0), (4, [0, 0, 80, 40], 1)]
    values = {
        "images": [{"id": 70, "file_name": "7.png", "width": 80, "height": 40}],
        "categories": [{"id": 9, "name": "player one"}, {"id": 4, "name": "ball"}],
        "annotations": [
            {"image_id": 70, "category_id": category, "bbox": box, "iscrowd": crowd} for category, box, crowd in boxes
        ],
    }
    (tmp_path / "a.json").write_text(json.dumps(values))
    outcome = run_script(
        "tool/import_boxes.py", tmp_path / "a.json", "--images", tmp_path / "images", "--out", tmp_path / "train.txt"
    )
    assert "left out: 1 boxes" in outcome.out
    assert (tmp_path / "annotations.txt").read_text() == "ball 0\nplayer one 1\n"
    found = read_box_list(tmp_path / "train.txt", 2).boxes.boxes
    assert found["class"].tolist() == [1, 0]
    np.testing.assert_allclose(
        found["box"], [[10 / 80, 10 / 40, 30 / 80, 30 / 40], [70 / 80, 30 / 40, 1, 1]], atol=1e-6
    )


@pytest.mark.parametrize("names", [["ball", "player one"], {1: "player one", 0: "ball"}])
def test_a_data_yaml(dataset, tmp_path, names):
    (dataset / "data.yaml").write_text(yaml.safe_dump({"train": "../images", "val": "train.txt", "names": names}))
    out = tmp_path / "lists"
    assert run_script("tool/import_boxes.py", dataset / "data.yaml", "--out", out).status == 0
    assert (out / "annotations.txt").read_text() == "ball 0\nplayer one 1\n"
    assert_same_boxes(dataset / "train.txt", out / "train.txt", 0)
    assert_same_boxes(dataset / "train.txt", out / "val.txt", 0)
    assert run_script("tool/import_boxes.py", out / "train.txt", "--to", "yolo", "--out", out / "data.yaml").status == 0
    assert run_script("tool/import_boxes.py", out / "data.yaml", "--out", tmp_path / "again").status == 0
    assert_same_boxes(dataset / "train.txt", tmp_path / "again" / "train.txt", 0)


def test_a_label_file_with_other_boxes_is_not_overwritten(dataset, tmp_path):
    assert (
        run_script("tool/import_boxes.py", dataset / "train.txt", "--to", "coco", "--out", dataset / "a.json").status
        == 0
    )
    (dataset / "labels" / "c.txt").write_text("0 0.5 0.5 0.5 0.5\n")
    outcome = run_script("tool/import_boxes.py", dataset / "a.json", "--out", tmp_path / "lists" / "train.txt")
    assert "labels/c.txt: exists with other boxes" in outcome.error
    assert (dataset / "labels" / "c.txt").read_text() == "0 0.5 0.5 0.5 0.5\n"


@pytest.mark.parametrize(
    ("name", "text", "reason"),
    [
        ("a.json", "[]", "not a COCO file"),
        ("a.json", "{", "not a COCO file"),
        ("a.json", '{"images": [], "annotations": [{"image_id": 3}], "categories": []}', "has image_id 3, which"),
        ("data.yaml", "train: x", "not a data.yaml"),
        ("data.yaml", "names: [a, b]\ntrain: nowhere", "no such folder or list"),
        ("data.yaml", "names: [a, b]", "names no images"),
        ("voc/a.xml", "<annotation><size>", "not an XML file of Pascal VOC"),
        ("voc/a.xml", "<annotation></annotation>", "not an XML file of Pascal VOC"),
        ("voc/a.txt", "", "holds no .xml files"),
    ],
)
def test_a_wrong_source_is_one_error(tmp_path, name, text, reason):
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    source = path.parent if name.startswith("voc") else path
    assert reason in run_script("tool/import_boxes.py", source, "--out", tmp_path / "out" / "train.txt").error


# Checks.


def test_check_dataset_finds_what_is_wrong_with_the_labels(dataset):
    planted = {
        "wrong_label": "0 0.5 0.5 0.1 0.1 0.9",
        "unknown_class": "7 0.5 0.5 0.1 0.1",
        "box_outside": "0 0.9 0.5 0.6 0.1",
        "box_without_area": "0 0.5 0.5 1e-9 0.1",
        "box_doubled": "0 0.5 0.5 0.2 0.2\n0 0.5 0.5 0.2 0.2",
        "too_many_boxes": "\n".join(f"0 0.{row:05d} 0.5 0.1 0.1" for row in range(10_000, 16_000)),
        "image_without_labels": None,
    }
    names = []
    for seed, (kind, text) in enumerate(planted.items(), 10):
        image = picture(dataset / "images" / f"{kind}.png", seed=seed)
        names.append(f"images/{kind}.png")
        if text is not None:
            labels(image, f"{text}\n")
    (dataset / "train.txt").write_text("images/c.png\n" + "".join(f"{name}\n" for name in names))
    (dataset / "val.txt").write_text("images/a.png\nimages/b.png\n")
    (dataset / "labels" / "lost.txt").write_text("")
    lists = [dataset / "train.txt", dataset / "val.txt"]
    outcome = run_script("tool/check_dataset.py", "--boxes", "--lists", *lists, "--out", dataset / "report")
    assert outcome.status == 1, outcome.err
    with (dataset / "report" / "findings.csv").open(newline="") as file:
        found = {(row["kind"], Path(row["path"]).stem) for row in csv.DictReader(file) if row["kind"] in KINDS}
    expected = {(kind, kind) for kind in planted} | {("labels_without_image", "lost")}
    assert found == expected | {("class_without_boxes", "player one")}


KINDS = {"wrong_label", "unknown_class", "box_outside", "box_without_area", "box_doubled", "too_many_boxes"} | {
    "image_without_labels",
    "labels_without_image",
    "class_without_boxes",
}


def test_check_dataset_finds_nothing_in_a_clean_one(dataset):
    lists = dataset / "train.txt"
    outcome = run_script("tool/check_dataset.py", "--boxes", "--lists", lists, "--out", dataset / "report")
    assert (outcome.status, "nothing was found" in outcome.out) == (0, True), outcome.out
    assert BOX.names == ("class", "box")


def test_check_dataset_asks_for_boxes(dataset):
    outcome = run_script("tool/check_dataset.py", "--lists", dataset / "train.txt", "--out", dataset / "report")
    assert "train.txt:1: no class index after the path; add it, or give --boxes" in outcome.error

"""tool/import_boxes.py loses nothing: no other file is replaced, and no class or box is taken for another."""

import json
from pathlib import Path

import pytest
from box_frames import labelled_picture
from conftest import run_script

from game_classifier.lists.label_files import label_path


@pytest.mark.parametrize(
    ("form", "out", "mine"),
    [
        ("yolo", "data.yaml", "data.yaml"),
        ("yolo", "data.yaml", "data_train.txt"),
        ("yolo", "data.yaml", "data_val.txt"),
        ("voc", "xml", "xml/b.xml"),
        ("coco", "a.json", "a.json"),
    ],
)
def test_export_replaces_no_file_of_other_content(tmp_path, form, out, mine):
    for name in "ab":
        labelled_picture(tmp_path / "images" / f"{name}.png")
    (tmp_path / "annotations.txt").write_text("ball 0\nplayer 1\n")
    for part in ("train", "val"):
        (tmp_path / f"{part}.txt").write_text("images/a.png\nimages/b.png\n")
    command = ("tool/import_boxes.py", tmp_path / "train.txt", "--to", form, "--out", tmp_path / out)
    (tmp_path / mine).parent.mkdir(exist_ok=True)
    (tmp_path / mine).write_text("mine\n")
    before = {path for path in tmp_path.rglob("*")}
    outcome = run_script(*command)
    assert outcome.status == 2
    assert f"{tmp_path / mine}: exists with other content; move it away, or choose another --out" in outcome.error
    assert (tmp_path / mine).read_text() == "mine\n"
    assert {path for path in tmp_path.rglob("*")} == before  # nothing is half written
    (tmp_path / mine).unlink()
    assert [run_script(*command).status for _ in range(2)] == [0, 0]  # the same files may be written again


@pytest.mark.parametrize("names", ["{1: ball, 2: player}", "{'0': ball, '1': player}", "{ball: 0, player: 1}", "ball"])
def test_names_that_leave_a_class_open_are_an_error(tmp_path, names):
    labelled_picture(tmp_path / "images" / "a.png")
    (tmp_path / "data.yaml").write_text(f"train: images\nnames: {names}\n")
    outcome = run_script("tool/import_boxes.py", tmp_path / "data.yaml", "--out", tmp_path / "out")
    assert outcome.status == 2
    assert "data.yaml: `names` must be a list, or number the classes 0, 1, 2 ... without a gap" in outcome.error
    assert not (tmp_path / "out").exists()


def test_two_images_of_one_label_file_are_an_error(tmp_path):
    for name in ("a.png", "a.jpg"):
        label_path(labelled_picture(tmp_path / "images" / name)).unlink()
    values = {
        "images": [
            {"id": i, "file_name": f"a.{end}", "width": 80, "height": 40} for i, end in enumerate(("png", "jpg"))
        ],
        "categories": [{"id": 1, "name": "ball"}],
        "annotations": [{"image_id": i, "category_id": 1, "bbox": [40 * i, 0, 8, 8]} for i in range(2)],
    }
    (tmp_path / "a.json").write_text(json.dumps(values))
    images = ("--images", tmp_path / "images")
    outcome = run_script("tool/import_boxes.py", tmp_path / "a.json", *images, "--out", tmp_path / "out" / "val.txt")
    assert outcome.status == 2
    assert f"a.jpg: has the same label file as {tmp_path / 'images' / 'a.png'}" in outcome.error
    assert not list((tmp_path / "labels").iterdir())


def coco(tmp_path: Path, **changes) -> Path:
    labelled_picture(tmp_path / "images" / "a.png")
    label_path(tmp_path / "images" / "a.png").unlink()
    values = {
        "images": [{"id": 5, "file_name": "a.png", "width": 80, "height": 40}],
        "categories": [{"id": 1, "name": "ball"}, {"id": 3, "name": "bat"}],
        "annotations": [{"image_id": 5, "category_id": 3, "bbox": [8, 8, 40, 20]}],
    } | changes
    (tmp_path / "a.json").write_text(json.dumps(values), encoding="utf-8-sig")  # as Windows writes it
    return tmp_path / "a.json"


def import_of(tmp_path: Path, source: Path):
    images = ("--images", tmp_path / "images")
    return run_script("tool/import_boxes.py", source, *images, "--out", tmp_path / "out" / "val.txt")


def test_a_coco_file_with_a_byte_order_mark_is_read(tmp_path):
    assert import_of(tmp_path, coco(tmp_path)).status == 0
    assert label_path(tmp_path / "images" / "a.png").read_text().split() == ["1", "0.35", "0.45", "0.5", "0.5"]


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        (
            {"annotations": [{"image_id": 77, "category_id": 1, "bbox": [0, 0, 8, 8]}]},
            "an annotation has image_id 77, which the file does not list; add it there, or take the annotation out",
        ),
        (
            {"annotations": [{"image_id": 5, "category_id": 2, "bbox": [0, 0, 8, 8]}]},
            "an annotation has category_id 2, which the file does not list",
        ),
        (
            {"categories": [{"id": 1, "name": "ball"}, {"id": 3, "name": "ball"}]},
            "two categories are named 'ball'; rename one of them",
        ),
    ],
)
def test_a_coco_file_that_contradicts_itself_is_one_line(tmp_path, changes, complaint):
    outcome = import_of(tmp_path, coco(tmp_path, **changes))
    assert outcome.status == 2
    assert f"{tmp_path / 'a.json'}: {complaint}" in outcome.error
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(("size", "status"), [("<size><width>80.0</width><height>40.0</height></size>", 0), ("", 2)])
def test_the_size_in_an_xml_file_may_have_a_point_but_must_be_there(tmp_path, size, status):
    label_path(labelled_picture(tmp_path / "images" / "a.png")).unlink()
    (tmp_path / "xml").mkdir()
    box = "<bndbox><xmin>9</xmin><ymin>9</ymin><xmax>48</xmax><ymax>28</ymax></bndbox>"
    (tmp_path / "xml" / "a.xml").write_text(
        f"<annotation><filename>a.png</filename>{size}<object><name>ball</name>{box}</object></annotation>"
    )
    outcome = import_of(tmp_path, tmp_path / "xml")
    assert outcome.status == status
    if status:
        assert f"{tmp_path / 'xml' / 'a.xml'}: a picture of 0 x 0 pixels; correct its size" in outcome.error

"""Batch prediction of detectors: the boxes lie on the pictures in the files, in the order of the lines."""

import errno
import threading
import tracemalloc
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from box_frames import make_box_dataset
from conftest import random_detector
from PIL import Image

from game_classifier.errors import InputError
from game_classifier.frames.decode import FrameStatus, Preprocessing, read_frame
from game_classifier.interface import read_predictions
from game_classifier.lists.filelist import read_file_list
from game_classifier.predict.box_file import BoxFile
from game_classifier.predict.open_lists import predict_lists, read_list
from game_classifier.predict.predict_list import Predictor
from game_classifier.predict.shards import read_shards
from game_classifier.runtime.runner import load_runner
from game_classifier.tasks.detection.nms import select_boxes
from game_classifier.tasks.detection.rows import BOX, BoxRows

NAMES = ("red", "green", "blue")
SIZE = Preprocessing(64, 96, "letterbox", (0.0,) * 3, (1.0,) * 3)


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    return random_detector(tmp_path_factory.mktemp("weights") / "random.pth", SIZE, NAMES)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return make_box_dataset(tmp_path_factory.mktemp("boxes"), train=2, val=7)


def predict(runner, save, path, threads=2, batch_size=3, **options):
    predictor = Predictor(runner, threads, batch_size, **options)
    return predict_lists([read_list(path, runner, None)], predictor, save)


def with_worker(runner, infer):
    """The runner with other answers."""
    return replace(runner, infer=infer, make_workers=lambda count, batch_size: [infer] * count)


def seeing_red(frames):
    """What a perfect detector answers for pictures with one red rectangle: its corners on the network's frame."""
    boxes = np.zeros((len(frames), 1, 4), np.float32)
    scores = np.zeros((len(frames), 1, 3), np.float32)
    for number, frame in enumerate(frames):
        red = (frame[..., 0] > 128) & (frame[..., 1] < 100)
        if red.any():
            rows, columns = np.flatnonzero(red.any(1)), np.flatnonzero(red.any(0))
            boxes[number, 0] = columns[0], rows[0], columns[-1] + 1, rows[-1] + 1
            scores[number, 0, 0] = 0.9
    return boxes, scores


# (width, height), the rectangle on it, and how it is stored
PICTURES = {
    "wide.jpg": ((1280, 720), (160, 80, 800, 400)),  # decoded at 1/4
    "odd.jpg": ((397, 291), (40, 30, 200, 250)),
    "tall.png": ((300, 900), (20, 500, 280, 800)),
    "turned.jpg": ((600, 200), (30, 20, 300, 180)),  # stored on its side
    "mirrored.jpg": ((640, 480), (100, 60, 300, 200)),
    "small.png": ((30, 20), (3, 2, 24, 16)),
}


def write_pictures(folder: Path) -> Path:
    for name, (size, box) in PICTURES.items():
        picture = Image.new("RGB", size, (20, 60, 200))
        picture.paste((230, 20, 20), box)
        options = {"quality": 95} if name.endswith("jpg") else {}
        if name in ("turned.jpg", "mirrored.jpg"):
            orientation, back = (
                (6, Image.Transpose.ROTATE_90) if name == "turned.jpg" else (2, Image.Transpose.FLIP_LEFT_RIGHT)
            )
            picture, exif = picture.transpose(back), Image.Exif()
            exif[0x0112] = orientation
            options["exif"] = exif
        picture.save(folder / name, **options)
    (folder / "all.txt").write_text("".join(f"{name}\n" for name in PICTURES))
    return folder / "all.txt"


@pytest.mark.parametrize("resize", ["letterbox", "squash"])
def test_boxes_are_in_pixels_of_the_whole_upright_picture(tmp_path, weights, resize):
    runner = with_worker(load_runner(weights), seeing_red)
    runner = replace(runner, preprocessing=replace(SIZE, resize=resize))
    predict(runner, tmp_path / "save", write_pictures(tmp_path))
    rows, boxes = (np.load(tmp_path / "save" / name) for name in ("all.npy", "all.boxes.npy"))
    assert boxes["row"].tolist() == list(range(len(PICTURES)))
    for row, box, (size, expected) in zip(rows, boxes, PICTURES.values(), strict=True):
        assert (row["width"], row["height"]) == size
        assert (box["class"], box["score"]) == (0, np.float32(0.9))
        pixel = max(size[0] / SIZE.width, size[1] / SIZE.height)  # of the network's frame, in pixels of the file
        assert np.abs(np.array([box[name] for name in ("x1", "y1", "x2", "y2")]) - expected).max() < 1.6 * pixel, size


def test_boxes_are_cut_at_the_edges_and_those_beside_the_picture_are_left_out(tmp_path, weights):
    (tmp_path / "a.txt").write_text("a.png\n")
    Image.new("RGB", (192, 64)).save(tmp_path / "a.png")  # on the frame of 96 x 64: rows 16 to 48
    boxes = np.array([[[-9, 0, 40, 40], [0, 0, 96, 16], [10, 2, 20, 15]]], np.float32)
    scores = np.array([[[0, 0.5, 0], [0.9, 0, 0], [0, 0, 0.8]]], np.float32)
    runner = with_worker(
        load_runner(weights), lambda frames: (np.repeat(boxes, len(frames), 0), np.repeat(scores, len(frames), 0))
    )
    predict(runner, tmp_path, tmp_path / "a.txt")
    assert np.load(tmp_path / "a.boxes.npy").tolist() == [(0, 1, 0.5, 0.0, 0.0, 80.0, 48.0)]


def test_rows_point_at_the_boxes_that_nms_leaves(tmp_path, weights, data):
    runner = load_runner(weights)
    assert predict(runner, tmp_path, data / "val.txt") == 0
    predictions = read_predictions(tmp_path / "val.npy")
    rows = predictions.rows
    assert (predictions.boxes.dtype, type(predictions.boxes)) == (BOX, np.memmap)
    assert rows["first"].tolist() == [0, *np.cumsum(rows["count"])[:-1]]
    assert rows["count"].sum() == len(predictions.boxes) > 100
    for row, path in enumerate(read_file_list(data / "val.txt", 3).paths):
        boxes, scores = runner.infer(np.repeat(read_frame(path, SIZE)[None], 16, 0))
        _, score, label = (
            each.numpy() for each in select_boxes(torch.from_numpy(boxes[0]), torch.from_numpy(scores[0]))
        )
        mine = predictions.boxes_of(row)
        assert (mine["row"] == row).all()
        assert len(mine) > 20
        assert len(mine) <= len(score)  # some may lie beside the picture
        assert set(zip(mine["score"], mine["class"], strict=True)) <= set(zip(score, label, strict=True))
        assert (np.diff(mine["score"]) <= 0).all()
        assert (mine["x2"] > mine["x1"]).all()
        assert (mine["x2"] <= 128).all()
        assert (mine["y2"] <= 96).all()


def test_the_order_in_which_frames_are_ready_does_not_matter(tmp_path, weights, data):
    runner, others = load_runner(weights), threading.Event()
    predict(runner, tmp_path / "in order", data / "val.txt", threads=1)
    answered = []

    def infer(frames):
        answered.append(threading.get_ident())
        if len(answered) == 1:  # the first batch waits until all others are finished
            assert others.wait(20)
        elif len(answered) == 3:
            others.set()
        return runner.infer(frames)

    predict(with_worker(runner, infer), tmp_path / "save", data / "val.txt")
    for name in ("val.npy", "val.boxes.npy"):
        assert (tmp_path / "save" / name).read_bytes() == (tmp_path / "in order" / name).read_bytes()


def test_a_list_without_any_box(tmp_path, weights, data):
    nothing = with_worker(
        load_runner(weights),
        lambda frames: (np.zeros((len(frames), 5, 4), np.float32), np.zeros((len(frames), 5, 3), np.float32)),
    )
    predict(nothing, tmp_path, data / "val.txt")
    boxes = np.load(tmp_path / "val.boxes.npy", mmap_mode="r", allow_pickle=False)
    assert (boxes.shape, boxes.dtype) == ((0,), BOX)
    assert len(read_shards(tmp_path)) == 1


def test_another_least_score_is_another_prediction(tmp_path, weights, data):
    runner = load_runner(weights)
    predict(runner, tmp_path, data / "val.txt")
    every = np.load(tmp_path / "val.boxes.npy")
    assert predict(runner, tmp_path, data / "val.txt", least_score=0.3) == 0
    some = np.load(tmp_path / "val.boxes.npy")
    assert some.tobytes() == every[every["score"] > 0.3].tobytes()
    assert 0 < len(some) < len(every)
    assert predict(runner, tmp_path, data / "val.txt", least_score=0.3) == 1


@pytest.mark.parametrize("score", [-0.1, 1.5, float("nan")])
def test_a_least_score_is_between_0_and_1(score):
    with pytest.raises(InputError, match=r"least score .*: give a score from 0 to 1"):
        BoxRows().with_least_score(score)


# The file of boxes on its way.


def test_parts_are_written_in_the_order_of_their_rows(tmp_path):
    boxes = np.zeros(7, BOX)
    boxes["row"] = [0, 0, 2, 5, 5, 5, 9]
    with BoxFile(tmp_path, BOX) as file:
        for part, start in ((boxes[3:6], 4), (boxes[6:], 8), (boxes[:0], 6), (boxes[:3], 0)):
            file.add(start, part)
        assert list(tmp_path.iterdir()) == []  # nothing that a kill could leave behind
        file.write(tmp_path / "a.npy")
    assert np.load(tmp_path / "a.npy").tobytes() == boxes.tobytes()


def test_the_memory_does_not_grow_with_the_boxes(tmp_path):
    part = np.zeros(32 * 300, BOX)  # a batch
    tracemalloc.start()
    with BoxFile(tmp_path, BOX) as file:
        for start in range(300):
            file.add(300 - start, part)
        file.write(tmp_path / "a.npy")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (tmp_path / "a.npy").stat().st_size > 300 * part.nbytes
    assert peak < 40 * part.nbytes


def test_a_disk_that_is_full_of_boxes_is_one_line_and_leaves_nothing(tmp_path, run, weights, data, monkeypatch):
    def refuse(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(BoxFile, "add", refuse)
    outcome = run("src/predict_repvgg.py", "-w", weights, "--input", data / "val.txt", "--save", tmp_path / "save")
    assert outcome.error == f"{tmp_path}/save/val.boxes.npy: No space left on device"
    assert list((tmp_path / "save").iterdir()) == []


# Wrong use.


def test_options_of_the_other_task_are_errors_before_the_work(tmp_path, run, weights, data, trained):
    def error(network, *options):
        arguments = ("-w", network, "--input", data / "val.txt", "--save", tmp_path / "save", *options)
        return run("src/predict_repvgg.py", *arguments).error

    assert "refusal rate 0.01: the network is a detector, which refuses no frame" in error(weights, "--refuse=0.01")
    assert "least score 7: give a score from 0 to 1" in error(weights, "--least-score=7")
    assert "least score 0.5: the network is a classifier" in error(trained.best, "--least-score=0.5")
    assert "is a classifier, which finds no boxes; leave it out" in error(trained.best, "--coco")
    (tmp_path / "val.boxes.txt").write_text("a.png\n")
    name = run(
        "src/predict_repvgg.py", "-w", weights, "--input", tmp_path / "val.boxes.txt", "--save", tmp_path / "save"
    )
    assert "val.boxes.txt: LIST.boxes.npy holds the boxes of LIST; give the list another name" in name.error
    assert not (tmp_path / "save").exists()


def test_a_folder_holds_the_predictions_of_one_task_and_all_their_boxes(tmp_path, weights, data, trained):
    detector = load_runner(weights)
    predict(detector, tmp_path, data / "val.txt")
    (tmp_path / "other.txt").write_text("a.png\n")
    classifier = replace(load_runner(trained.best), class_names=detector.class_names)
    predict(classifier, tmp_path, tmp_path / "other.txt")
    with pytest.raises(InputError, match=r"val.json: made with another task than .*other.txt"):
        read_shards(tmp_path)
    (tmp_path / "other.json").unlink()
    boxes = np.load(tmp_path / "val.boxes.npy")
    np.save(tmp_path / "val.boxes.npy", boxes[1:])
    with pytest.raises(InputError, match=rf"has {len(boxes) - 1} boxes, but val.npy says {len(boxes)}; predict"):
        read_shards(tmp_path)
    with pytest.raises(InputError, match="does not fit its manifest"):
        read_predictions(tmp_path / "val.npy")
    (tmp_path / "val.boxes.npy").unlink()
    with pytest.raises(InputError, match="no finished predictions"):
        read_shards(tmp_path)
    with pytest.raises(InputError, match=r"val.boxes.npy: no such file"):
        read_predictions(tmp_path / "val.npy")


def test_a_frame_that_cannot_be_read_has_no_size_and_no_boxes(tmp_path, weights):
    Image.new("RGB", (50, 40)).save(tmp_path / "a.png")
    (tmp_path / "a.txt").write_text("none.png\na.png\n")
    predict(load_runner(weights), tmp_path, tmp_path / "a.txt")
    rows = np.load(tmp_path / "a.npy")
    assert rows[0].tolist() == (FrameStatus.MISSING, 0, 0, 0, 0)
    assert rows[1].tolist()[3:] == (40, 50)

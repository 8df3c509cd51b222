"""A detector's whole training: it learns, resumes bit for bit, and its recipe is checked."""

import json

import numpy as np
import pytest
import torch
from box_frames import make_box_dataset
from conftest import ROOT, run_script

from game_classifier.config import Config, read_config
from game_classifier.errors import InputError, Interrupted
from game_classifier.frames.decode import Preprocessing
from game_classifier.models.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from game_classifier.models.zoo import build_model
from game_classifier.tasks.choose import task_of
from game_classifier.training import fit as fit_module
from game_classifier.training.fit import fit

NETWORK = "yolov5n_detector"


def recipe(*changes: str) -> Config:
    """config/detector.json at a size of seconds."""
    small = ["image_size=64", "train_sizes=[1.0]", "epochs=2", "min_steps=2", "batch_size=4", 'precision="fp32"']
    return read_config(ROOT / "config" / "detector.json", [*small, "threads=2", *changes])


def train(config: Config, data, out, resume: bool = False):
    return fit(config, task_of(NETWORK).read_dataset(data, None), out, resume)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return make_box_dataset(tmp_path_factory.mktemp("boxes"), train=8, val=4)


def test_a_training_writes_what_a_classifiers_does_and_its_own_pictures(data, tmp_path, capsys):
    best = train(recipe(), data, tmp_path)
    records = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert [record["epoch"] for record in records] == [1, 2]
    assert {"ap", "ap50", "ap75"} <= set(records[0])
    for name in ("curves", "confusion", "precision_recall"):
        assert (tmp_path / f"{name}.png").read_bytes().startswith(b"\x89PNG")
    checkpoint = load_checkpoint(best)
    assert (checkpoint.network, checkpoint.class_names) == (NETWORK, ("red", "green", "blue"))
    assert checkpoint.preprocessing == Preprocessing(64, 64, "letterbox", (0.0,) * 3, (1.0,) * 3)
    said = capsys.readouterr().out
    assert "anchors fit" in said
    assert "the best epoch is" in said
    outcome = run_script("src/main_predict.py", "-w", best, "-i", data / "val.txt")
    assert (outcome.status, outcome.err.count("Traceback")) == (0, 0), outcome.err
    assert f"{100 * checkpoint.metrics['ap']:.2f}" in outcome.out


@pytest.mark.slow
def test_a_stopped_training_ends_with_the_same_weights(data, tmp_path, monkeypatch):
    config = recipe("save_minutes=0")
    train(config, data, tmp_path / "whole")
    keep, steps = fit_module._keep_in_time, []

    def stop_after_three(session, stop):
        after_step = keep(session, stop)

        def step():
            steps.append(1)
            stop.made = len(steps) == 3
            after_step()

        return step

    monkeypatch.setattr(fit_module, "_keep_in_time", stop_after_three)
    with pytest.raises(Interrupted):
        train(config, data, tmp_path / "stopped")
    train(config, data, tmp_path / "stopped", resume=True)
    for which in ("best", "last"):
        one, other = (tmp_path / name / "model" / f"{NETWORK}_{which}.pth" for name in ("whole", "stopped"))
        assert one.read_bytes() == other.read_bytes()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("network", "epochs", "lr"), [(NETWORK, 4, 0.02), ("picodet_lite_s", 6, 0.02), ("picodet_s", 4, 0.1)]
)
def test_a_few_frames_are_learnt_by_heart(data, tmp_path, network, epochs, lr):
    (tmp_path / "val.txt").write_text("".join(f"{data}/{line}\n" for line in (data / "train.txt").read_text().split()))
    (tmp_path / "train.txt").write_text((tmp_path / "val.txt").read_text())
    (tmp_path / "annotations.txt").write_text((data / "annotations.txt").read_text())
    still = ["augment.zoom=0", "augment.shift=0", "augment.brightness=0", "augment.contrast=0", "detection.mosaic=0"]
    length = [f"network={network}", f"epochs={epochs}", f"lr={lr}", "min_steps=50", "batch_size=8", "ema_decay=0.95"]
    assert load_checkpoint(train(recipe(*still, *length), tmp_path, tmp_path / "out")).metrics["ap50"] > 0.9


def test_changed_labels_are_refused_on_resume(data, tmp_path):
    copy = make_box_dataset(tmp_path / "data", train=8, val=4)
    train(recipe("epochs=1"), copy, tmp_path / "out")
    (copy / "train" / "labels" / "000.txt").write_text("0 0.5 0.5 0.5 0.5\n")
    with pytest.raises(InputError, match="made with another train list"):
        train(recipe("epochs=1"), copy, tmp_path / "out", resume=True)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        (["image_size=72"], "image_size 72: a detector needs multiples of 32"),
        (["augment.stream=0.3", "label_smoothing=0.1"], "label_smoothing, augment.stream: not for detectors"),
    ],
)
def test_a_recipe_that_is_not_for_detectors_is_one_error(data, tmp_path, changes, reason):
    with pytest.raises(InputError, match=reason):
        train(recipe(*changes), data, tmp_path)


def test_the_command_takes_the_recipe_of_detectors(data, tmp_path):
    outcome = run_script("src/main_train.py", "-n", NETWORK, "-i", data, "-o", tmp_path, "--set", "image_size=65")
    assert "config/detector.json with --set" not in outcome.error  # 65 is a size; the detector refuses it
    assert "image_size 65: a detector needs multiples of 32" in outcome.error


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        (("src/main_convert.py", "-w"), "a network for detection cannot be converted yet"),
        (("src/predict_repvgg.py", "-w"), "a network for detection cannot predict into npy files"),
    ],
)
def test_what_is_not_built_says_so(data, tmp_path, command, reason):
    network = build_model(NETWORK, 3)
    checkpoint = Checkpoint(
        NETWORK, ("red", "green", "blue"), Preprocessing(64, 64, "letterbox"), network.state_dict(), 1
    )
    save_checkpoint(tmp_path / "a.pth", checkpoint)
    options = ("-i", data / "val.txt") if "convert" in command[0] else ("--input", data / "val.txt", "--save", tmp_path)
    assert reason in run_script(*command, tmp_path / "a.pth", *options).error


def test_anchors_of_the_data_are_in_the_checkpoint(data, tmp_path):
    """Boxes twenty times as wide as high fit no anchor of COCO."""
    copy = make_box_dataset(tmp_path / "data", train=8, val=4)
    random = np.random.default_rng(0)
    for path in (copy / "train" / "labels").glob("*.txt"):
        path.write_text("".join(f"0 0.5 0.5 {random.uniform(0.6, 0.9):.3f} 0.02\n" for _ in range(3)))
    best = load_checkpoint(train(recipe("epochs=1", "image_size=128"), copy, tmp_path / "out"))
    strides = torch.tensor([8, 16, 32]).reshape(3, 1, 1)
    anchors = best.state_dict["head.anchors"] * strides
    assert (anchors[..., 0] > 10 * anchors[..., 1]).all()

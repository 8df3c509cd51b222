"""A detector's whole training: it learns, resumes bit for bit, and its recipe is checked."""

import json
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import torch
from box_frames import NETWORK, make_box_dataset
from conftest import ROOT, run_script

from game_classifier.config import Config, read_config
from game_classifier.errors import InputError, Interrupted
from game_classifier.frames.decode import Preprocessing
from game_classifier.models.checkpoint import load_checkpoint
from game_classifier.models.zoo import build_model, recipe_name
from game_classifier.tasks.choose import task_of
from game_classifier.tasks.detection.criteria import criterion_of
from game_classifier.tasks.detection.geometry import Targets
from game_classifier.training import fit as fit_module
from game_classifier.training.fit import fit
from game_classifier.training.session import Session
from game_classifier.training.validation import validate
from game_classifier.training.world import World

SMALL = "image_size=64", "train_sizes=[1.0]", "epochs=2", "min_steps=2", "batch_size=4", "precision=fp32", "threads=2"


def recipe(*changes: str, network: str = NETWORK) -> Config:
    """The recipe of `network` at a size of seconds."""
    return read_config(ROOT / "config" / recipe_name(network), [*SMALL, f"network={network}", *changes])


def train(config: Config, data, out, resume: bool = False):
    return fit(config, task_of(NETWORK).read_dataset(data, None), out, resume)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return make_box_dataset(tmp_path_factory.mktemp("boxes"), train=8, val=5)


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
@pytest.mark.parametrize("network", [NETWORK, "picodet_s"])
def test_a_stopped_training_ends_with_the_same_weights(data, tmp_path, monkeypatch, network):
    colours = "detection.hue=0.1", "detection.saturation=0.5"
    config = recipe("save_minutes=0", *colours, network=network)
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
        one, other = (tmp_path / name / "model" / f"{network}_{which}.pth" for name in ("whole", "stopped"))
        assert one.read_bytes() == other.read_bytes()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("network", "epochs", "lr"), [(NETWORK, 4, 0.02), ("picodet_lite_s", 6, 0.02), ("picodet_s", 6, 0.1)]
)
def test_a_few_frames_are_learnt_by_heart(data, tmp_path, network, epochs, lr):
    (tmp_path / "val.txt").write_text("".join(f"{data}/{line}\n" for line in (data / "train.txt").read_text().split()))
    (tmp_path / "train.txt").write_text((tmp_path / "val.txt").read_text())
    (tmp_path / "annotations.txt").write_text((data / "annotations.txt").read_text())
    still = ["augment.zoom=0", "augment.shift=0", "augment.brightness=0", "augment.contrast=0", "detection.mosaic=0"]
    length = [f"epochs={epochs}", "min_steps=50", "batch_size=8", "ema_decay=0.95"]
    sgd = ["optimizer=sgd", f"lr={lr}", "momentum=0.937", "weight_decay=5e-4"]
    best = train(recipe(*still, *length, *sgd, network=network), tmp_path, tmp_path / "out")
    assert load_checkpoint(best).metrics["ap50"] > 0.85


@pytest.mark.parametrize("boxes", [0, 1])
@pytest.mark.parametrize("network", [NETWORK, "repyolov5s_detector", "picodet_s", "picodet_lite_s"])
def test_every_weight_learns_from_every_batch(network, boxes):
    """Processes wait for each other's gradients of all weights: one that has only background must have them too."""
    torch.manual_seed(0)
    network = build_model(network, 3)
    targets = Targets(torch.zeros(boxes, dtype=torch.long), torch.ones(boxes, dtype=torch.long), torch.rand(boxes, 4))
    targets.box[:, 2:] += targets.box[:, :2]
    criterion_of(network.head).loss(network(torch.rand(2, 3, 64, 64)), targets).backward()
    assert not [name for name, weight in network.named_parameters() if weight.grad is None]


def start_two(data, out, *more: str) -> subprocess.Popen:
    """A training by two processes that torchrun starts."""
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2"]
    command += [ROOT / "src/main_train.py", "-n", "picodet_s", "-i", data, "-o", out, *more]
    for change in SMALL:
        command += ["--set", change]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.mark.slow
def test_two_processes_train_score_every_frame_once_and_resume(data, tmp_path):
    """Five validation frames, so that the processes have different numbers of them."""
    whole, out = start_two(data, tmp_path / "whole"), tmp_path / "stopped"
    _, errors = whole.communicate()
    assert whole.returncode == 0, errors
    run, last = start_two(data, out, "--set", "save_minutes=0"), out / "model/picodet_s_last.pth"
    while not last.exists() and run.poll() is None:
        time.sleep(0.05)
    run.send_signal(signal.SIGINT)
    _, errors = run.communicate()
    assert "continue with the same command and --resume" in errors
    run = start_two(data, out, "--resume", "--set", "save_minutes=0")
    _, errors = run.communicate()
    assert run.returncode == 0, errors
    for which in ("best", "last"):
        one, other = (tmp_path / name / "model" / f"picodet_s_{which}.pth" for name in ("whole", "stopped"))
        one, other = load_checkpoint(one), load_checkpoint(other)
        assert all(torch.equal(value, other.state_dict[key]) for key, value in one.state_dict.items())
        assert one.metrics == other.metrics
    dataset, config = task_of(NETWORK).read_dataset(data, None), recipe(network="picodet_s")
    alone = Session(config, dataset, tmp_path, World(), resume=False)
    alone.trainee.ema.module.load_state_dict(load_checkpoint(last).state_dict)
    records = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    scores = validate(alone, dataset, None).scores
    assert scores.frames == len(dataset.val) == 5
    assert scores.figures().items() <= records[-1].items()


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
    ("network", "name"),
    [("picodet_lite_s", "detector"), ("picodet_m", "picodet"), ("esnet_s", "default"), ("squeezenet1_1", "default")],
)
def test_each_network_has_its_recipe(tmp_path, network, name):
    outcome = run_script("src/main_train.py", "-n", network, "-i", tmp_path, "-o", tmp_path, "--set", "nothing=1")
    assert f"config/{name}.json with --set: unknown key 'nothing'" in outcome.error


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

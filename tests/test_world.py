"""Several processes, started by torchrun, train as one does."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import ROOT, tiny_config

from game_classifier.errors import InputError
from game_classifier.lists.dataset import read_dataset
from game_classifier.models.checkpoint import load_checkpoint
from game_classifier.training.fit import fit
from game_classifier.training.session import Session
from game_classifier.training.validation import validate
from game_classifier.training.world import World

pytestmark = pytest.mark.slow  # starts torchrun

# BatchNorm needs some frames in each process's share of a batch.
SETTINGS = {"min_steps": 40, "epochs": 2, "lr": 0.005, "batch_size": 12}


def start(dataset: Path, out: Path, *more: str) -> subprocess.Popen:
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2"]
    command += [ROOT / "src/main_train.py", "-i", dataset, "-o", out, *more]
    config = tiny_config(**SETTINGS).model_dump()
    for key in ("network", "image_size", "train_sizes", "precision", *SETTINGS):
        command += ["--set", f"{key}={json.dumps(config[key])}"]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.fixture(scope="module")
def two(tmp_path_factory, trained):
    """A training by two processes that was stopped by Ctrl-C on its way, and gone on with."""
    out = tmp_path_factory.mktemp("two")
    run = start(trained.dataset, out, "--set", "save_minutes=0")
    last = out / "model/repvgg_tiny_last.pth"
    while not last.exists() and run.poll() is None:
        time.sleep(0.05)
    run.send_signal(signal.SIGINT)
    first = run.communicate()
    assert run.returncode != 0
    stopped = load_checkpoint(last).training["position"]
    run = start(trained.dataset, out, "--resume")
    second = run.communicate()
    assert run.returncode == 0, second[1]
    return out, first, stopped, second


def test_two_processes_learn_what_one_does(two, trained, tmp_path):
    out, _, _, (printed, _) = two
    one = load_checkpoint(fit(tiny_config(**SETTINGS), read_dataset(trained.dataset), tmp_path, resume=False))
    best = load_checkpoint(out / "model/repvgg_tiny_best.pth")
    assert abs(best.metrics["top1"] - one.metrics["top1"]) <= 1 / 12  # of 12 frames
    assert one.metrics["top1"] > 0.6  # of three classes
    assert "in fp32, 2 processes: 3 classes, 18 training frames" in printed
    assert printed.count("best checkpoint") == 1  # one process prints
    assert sorted(path.name for path in (out / "model").iterdir()) == ["repvgg_tiny_best.pth", "repvgg_tiny_last.pth"]


def test_every_validation_frame_counts_once_and_as_with_one_process(two, trained, tmp_path):
    out = two[0]
    data = read_dataset(trained.dataset)
    last = load_checkpoint(out / "model/repvgg_tiny_last.pth")
    session = Session(tiny_config(), data, tmp_path, World(), resume=False)
    session.trainee.ema.module.load_state_dict(last.state_dict)
    alone = validate(session, data, None)
    assert alone.scores.confusion.sum() == len(data.val) == 12
    records = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    assert {key: records[-1][key] for key in ("top1", "top5", "mean_f1")} == {
        "top1": alone.scores.summary().top1,
        "top5": alone.scores.summary().top5,
        "mean_f1": alone.scores.summary().mean_f1,
    }
    assert np.isfinite(records[-1]["train_loss"])


def test_ctrl_c_stops_all_of_them_with_the_state_kept(two):
    _, (_, errors), stopped, (printed, _) = two
    assert "continue with the same command and --resume" in errors
    assert (stopped["epoch"], stopped["step"]) != (0, 0)
    assert "resumed after epoch" in printed


def test_stopped_and_gone_on_with_they_end_like_an_uninterrupted_training(two, trained, tmp_path):
    whole = start(trained.dataset, tmp_path)
    _, errors = whole.communicate()
    assert whole.returncode == 0, errors
    for name in ("repvgg_tiny_best.pth", "repvgg_tiny_last.pth"):
        one, other = (load_checkpoint(out / "model" / name) for out in (two[0], tmp_path))
        assert all(torch.equal(value, other.state_dict[key]) for key, value in one.state_dict.items())
        assert one.metrics == other.metrics


def test_a_batch_that_cannot_be_shared_says_so():
    assert World(0, 3).share(6) == 2
    for batch in (7, 3):
        with pytest.raises(InputError, match=f"batch_size {batch}: cannot be shared equally by 3 processes"):
            World(0, 3).share(batch)


def test_one_process_is_a_world_of_its_own():
    alone = World()
    assert alone.is_first
    assert alone.any(True, False) == (True, False)
    assert alone.gather("a") == ["a"]
    network = torch.nn.Linear(1, 1)
    assert alone.wrap(network) is network

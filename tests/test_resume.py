"""A training that was interrupted ends with the very files of one that was not."""

import ctypes
import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from conftest import ROOT, tiny_config

from game_classifier.config import AugmentConfig
from game_classifier.errors import InputError, Interrupted
from game_classifier.lists.dataset import read_dataset
from game_classifier.models.checkpoint import load_checkpoint, save_checkpoint
from game_classifier.training import fit as fit_module
from game_classifier.training.fit import fit
from game_classifier.training.log import CLOCK_KEYS

KILLS = int(os.environ.get("GAME_CLASSIFIER_KILLS", "3"))  # more take longer and prove more
NAMES = ("repvgg_tiny_best.pth", "repvgg_tiny_last.pth")
# Everything that draws random numbers or keeps something between steps.
CHANGES = {
    "epochs": 3,
    "min_steps": 5,
    "accumulate": 2,
    "batch_size": 4,
    "augment": AugmentConfig(mixup=0.2, cutmix=0.5),
}


def files(out: Path) -> dict[str, bytes]:
    return {name: (out / "model" / name).read_bytes() for name in NAMES}


def scores(out: Path) -> list[dict]:
    records = map(json.loads, (out / "metrics.jsonl").read_text().splitlines())
    return [{key: value for key, value in record.items() if key not in CLOCK_KEYS} for record in records]


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory, trained) -> Path:
    out = tmp_path_factory.mktemp("whole")
    fit(tiny_config(**CHANGES), read_dataset(trained.dataset), out, resume=False)
    return out


@pytest.fixture
def ordinary_signal_stack() -> None:
    """OpenVINO sets a stack for signals and frees it with its last model; the next signal then ends the process.

    Tests that ran before in this process may have left it so. Commands keep their model to the end.
    """

    class Stack(ctypes.Structure):  # stack_t of sigaltstack(2)
        _fields_ = (("start", ctypes.c_void_p), ("flags", ctypes.c_int), ("size", ctypes.c_size_t))

    disable = 2
    ctypes.CDLL(None).sigaltstack(ctypes.byref(Stack(None, disable, 0)), None)


@pytest.mark.usefixtures("ordinary_signal_stack")
@pytest.mark.parametrize(("number", "step"), [(signal.SIGINT, 1), (signal.SIGTERM, 5), (signal.SIGINT, 8)])
def test_a_stopped_training_keeps_its_state_and_ends_like_an_uninterrupted_one(
    tmp_path, trained, uninterrupted, monkeypatch, number, step
):
    config, data = tiny_config(**CHANGES), read_dataset(trained.dataset)
    real = fit_module.train_epoch

    def ask_at_the_step(session, dataset, cache, after_step):
        def ask_and_go_on():
            if session.trainee.step == step:
                os.kill(os.getpid(), number)
            after_step()

        real(session, dataset, cache, ask_and_go_on)

    handlers = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    with monkeypatch.context() as patched:
        patched.setattr(fit_module, "train_epoch", ask_at_the_step)
        said = r"stopped after epoch \d.*; the state is saved in .*_last.pth; continue with"
        with pytest.raises(Interrupted, match=said):
            fit(config, data, tmp_path, resume=False)
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == handlers
    last = load_checkpoint(tmp_path / "model" / NAMES[1])
    assert 5 * last.epoch + last.training["position"]["step"] == step
    fit(config, data, tmp_path, resume=True)
    assert files(tmp_path) == files(uninterrupted)
    assert scores(tmp_path) == scores(uninterrupted)


@pytest.mark.slow
def test_killed_at_random_moments_a_training_ends_like_an_uninterrupted_one(tmp_path, trained):
    """SIGKILL leaves no time for anything: what counts is what stands on the disk at every moment."""
    settings = [
        "network=repvgg_tiny",
        "image_size=32",
        "train_sizes=[1.0]",
        "epochs=4",
        "batch_size=6",
        "min_steps=10",
        "lr=0.005",
    ]
    settings += ["precision=fp32", "threads=2", "save_minutes=0"]

    def train(out: Path) -> subprocess.Popen:
        command = [sys.executable, ROOT / "src/main_train.py", "-i", trained.dataset, "-o", out, "--resume"]
        command += [part for each in settings for part in ("--set", each)]
        return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)

    whole = train(tmp_path / "whole")
    assert whole.wait() == 0, whole.stderr.read()
    moment, killed = random.Random(KILLS), 0
    out = tmp_path / "killed"
    last = out / "model" / NAMES[1]
    while True:
        run = train(out)
        before = last.stat().st_mtime_ns if last.exists() else 0
        while killed < KILLS and run.poll() is None and (last.stat().st_mtime_ns if last.exists() else 0) == before:
            time.sleep(0.01)  # it starts, and has not made a step yet
        if killed == KILLS or run.poll() is not None:
            assert run.wait() == 0, run.stderr.read()
            break
        time.sleep(moment.uniform(0, 5 / KILLS))
        run.kill()
        killed += run.wait() == -signal.SIGKILL
    assert killed == KILLS
    assert files(out) == files(tmp_path / "whole")
    assert scores(out) == scores(tmp_path / "whole")
    assert sorted(path.name for path in (out / "model").iterdir()) == sorted(NAMES)
    assert not (out / "cache").exists()


def test_a_training_can_be_extended(tmp_path, trained, capsys):
    data = read_dataset(trained.dataset)
    fit(tiny_config(epochs=1), data, tmp_path, resume=False)
    fit(tiny_config(epochs=3), data, tmp_path, resume=True)
    assert "resumed after epoch 1 of 3" in capsys.readouterr().out
    assert len(scores(tmp_path)) == 3
    assert load_checkpoint(tmp_path / "model" / NAMES[1]).epoch == 3


def test_a_worse_epoch_after_the_resume_does_not_replace_the_best(tmp_path, trained):
    data = read_dataset(trained.dataset)
    best = fit(tiny_config(epochs=1), data, tmp_path, resume=False)
    last_path = tmp_path / "model" / NAMES[1]
    last = load_checkpoint(last_path)
    last.training["history"][0]["top1"] = 1.5  # no later epoch can reach it
    save_checkpoint(last_path, last)
    before = best.read_bytes()
    fit(tiny_config(epochs=2), data, tmp_path, resume=True)
    assert best.read_bytes() == before


def test_the_state_is_written_by_time_too(tmp_path, trained, monkeypatch):
    written = []
    monkeypatch.setattr(fit_module.Session, "keep", lambda session: written.append(session.trainee.step))
    fit(tiny_config(epochs=1, min_steps=4, save_minutes=0.0), read_dataset(trained.dataset), tmp_path, resume=False)
    assert written == [1, 2, 3, 4, 4]
    written.clear()
    fit(tiny_config(epochs=1, min_steps=4), read_dataset(trained.dataset), tmp_path / "b", resume=False)
    assert written == [4]


def test_a_checkpoint_from_before_a_key_existed_is_resumed_with_its_default(tmp_path, trained):
    data = read_dataset(trained.dataset)
    fit(tiny_config(epochs=1), data, tmp_path, resume=False)
    last = tmp_path / "model" / NAMES[1]
    checkpoint = load_checkpoint(last)
    del checkpoint.training["identity"]["detection"], checkpoint.training["identity"]["augment"]["cutmix"]
    save_checkpoint(last, checkpoint)
    with pytest.raises(InputError, match=r"detection\.flip \(0\.0 there, 0\.5 now\)"):
        fit(tiny_config(epochs=2, detection={"flip": 0.5}), data, tmp_path, resume=True)
    fit(tiny_config(epochs=2), data, tmp_path, resume=True)
    assert load_checkpoint(last).epoch == 2

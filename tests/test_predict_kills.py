"""What is left of a batch prediction that was killed, here and on Ray: the same bytes as of one that was not."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import psutil
import pytest
from conftest import ROOT, contents

from game_classifier.datasets.cut_list import write_shards

pytestmark = pytest.mark.slow  # kills and repeats whole predictions

KILLS = int(os.environ.get("GAME_CLASSIFIER_KILLS", "3"))


@pytest.fixture(scope="module")
def lists(tmp_path_factory, trained) -> Path:
    """Six lists of 40 lines, with files that cannot be read."""
    lines = (trained.dataset / "val.txt").read_text(encoding="utf-8").splitlines()
    lines = [f"{trained.dataset}/{line}" for line in lines] + ["/none/missing.jpg 1", f"{trained.dataset} 2"]
    folder = tmp_path_factory.mktemp("lists")
    write_shards([lines[number % len(lines)] for number in range(240)], 6, folder, "part")
    return folder


def command(either, lists: Path, save: Path, *options: object) -> list[str]:
    script = [sys.executable, ROOT / "src" / "predict_repvgg.py", "-w", either.best, "--input", lists]
    return [str(part) for part in (*script, "--save", save, "--batch-size", 4, *options)]


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory, either, lists) -> tuple[dict[str, bytes], float]:
    """The files of a whole run, and how long it took."""
    save = tmp_path_factory.mktemp("whole") / "save"
    start = time.monotonic()
    subprocess.run(command(either, lists, save), check=True, capture_output=True)
    return contents(save), time.monotonic() - start


def test_kills_at_random_moments_change_nothing(tmp_path, either, lists, uninterrupted):
    expected, seconds = uninterrupted
    moments = random.Random(0)
    for _ in range(KILLS):
        process = subprocess.Popen(command(either, lists, tmp_path / "save"), stderr=subprocess.DEVNULL)
        time.sleep(moments.uniform(0.3, 1.0) * seconds)
        process.send_signal(signal.SIGKILL)
        process.wait()
    subprocess.run(command(either, lists, tmp_path / "save"), check=True, capture_output=True)
    assert contents(tmp_path / "save") == expected


def test_two_runs_into_one_folder_do_not_spoil_each_other(tmp_path, either, lists, uninterrupted):
    both = [
        subprocess.Popen(command(either, lists, tmp_path), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for _ in range(2)
    ]
    assert [process.wait() for process in both] == [0, 0]
    assert contents(tmp_path) == uninterrupted[0]


def test_a_killed_ray_worker_loses_nothing(tmp_path, either, lists, uninterrupted, monkeypatch):
    ray = pytest.importorskip("ray")
    monkeypatch.setenv("RAY_ENABLE_UV_RUN_RUNTIME_ENV", "0")
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
    try:
        address = ray.get_runtime_context().gcs_address
        options = ("--engine", "ray", "--threads", 1)
        process = subprocess.Popen(
            command(either, lists, tmp_path, *options),
            env={**os.environ, "RAY_ADDRESS": address},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        victim = None
        while victim is None and process.poll() is None:
            finished = list(tmp_path.glob("part_*.json"))
            workers = [each for each in psutil.process_iter(["cmdline"]) if "ray::_Worker" in str(each.info["cmdline"])]
            if finished and workers:
                victim = workers[0]
                victim.kill()
            time.sleep(0.01)
        output, _ = process.communicate(timeout=240)
    finally:
        ray.shutdown()
    assert process.returncode == 0, output
    assert victim is not None, output
    assert contents(tmp_path) == uninterrupted[0]
    assert len(np.load(tmp_path / "part_000.npy")) == 40

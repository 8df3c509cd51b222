"""The shell scripts: the main job on a user's own folders, and the set-up of the environment."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import timm
import torch
from box_frames import make_box_dataset
from conftest import ROOT, make_class_folders

SMALL = "image_size=32 train_sizes=[1.0] epochs=1 batch_size=6 min_steps=60 lr=0.005"
STAGES = ["split", "lists", "check", "train", "convert", "validate", "predict"]


@pytest.fixture
def checkout(tmp_path) -> Path:
    """A copy of the tracked parts, in which a run leaves nothing in this checkout."""
    folder = tmp_path / "check out"
    folder.mkdir()
    for name in ("src", "tool", "scripts", "config", "datas", "pyproject.toml", "requirements.txt", "README.md"):
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
        else:
            shutil.copy(source, folder)
    shutil.copy(ROOT / "run_main_train_repvgg.sh", folder)
    return folder


def environment(**variables: str) -> dict[str, str]:
    """This process's environment with its own Python as the active one."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return {key: value for key, value in os.environ.items() if key != "PYTHONPATH"} | {"PATH": path} | variables


def main_job(checkout: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    return job(checkout, "run_main_train_repvgg.sh", **variables)


def job(checkout: Path, script: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", checkout / script],
        cwd=checkout.parent,
        env=environment(**variables),
        capture_output=True,
        text=True,
    )


@pytest.mark.slow
def test_the_main_job_on_a_users_two_classes(checkout):
    make_class_folders(checkout.parent / "my games", names=("space invaders", "乒乓"))
    options = " ".join(f"--set {each}" for each in SMALL.split())
    # Both paths are relative to where the user stands.
    variables = {"dataset": "my games", "train_options": options, "weights_path": "zoo", "nproc": "2"}
    (checkout.parent / "zoo").mkdir()
    torch.save(timm.create_model("repvgg_a0", num_classes=5).state_dict(), checkout.parent / "zoo/RepVGG-A0-train.pth")
    first = main_job(checkout, **variables)
    assert first.returncode == 0, first.stderr
    assert [f"-- {stage} took" in first.stdout for stage in STAGES] == [True] * 7
    assert "in bf16, 2 processes" in first.stdout or "in fp32, 2 processes" in first.stdout
    assert "zoo/RepVGG-A0-train.pth (timm); head: new" in first.stdout
    for name in (
        "sv_train/model/repvgg_a0_best.pth",
        "save_pt_pth_file/repvgg_a0_cpp_deploy.pt",
        "save_npy_file/val.npy",
        "save_npy_file/results/per_class.csv",
        "sv_train/validation.txt",
        "check_report/report.html",
    ):
        assert (checkout / name).is_file()
        assert name in first.stdout
    assert (checkout / "datasets2/annotations.txt").read_text(encoding="utf-8") == "space invaders 0\n乒乓 1\n"
    assert len(np.load(checkout / "save_npy_file/val.npy")) == 2
    assert not (checkout / "demo").exists()
    assert not (checkout / ".venv").exists()

    again = main_job(checkout, **variables)
    assert again.returncode == 0, again.stderr
    assert again.stdout.count("already finished") == 7
    assert "took" not in again.stdout

    (checkout / "save_pt_pth_file/repvgg_a0_cpp_deploy.pt").unlink()
    third = main_job(checkout, **variables)
    # The new file holds new timings, so what was made from the old one is made again.
    assert [f"-- {stage} took" in third.stdout for stage in STAGES] == [False] * 4 + [True] * 3, third.stdout

    (checkout / "sv_train/stages/train").unlink()  # as after an interruption
    fourth = main_job(checkout, **variables)
    assert fourth.returncode == 0, fourth.stderr
    assert "resumed after epoch 1 of 1" in fourth.stdout

    other = main_job(checkout, **variables | {"train_options": options.replace("lr=0.005", "lr=0.02"), "nproc": "1"})
    assert other.returncode == 2
    assert "made with another lr (0.005 there, 0.02 now)" in other.stderr


def test_the_main_job_names_a_folder_that_is_not_there(checkout):
    done = main_job(checkout, dataset="nowhere")
    assert done.returncode == 2
    assert "nowhere: no such folder" in done.stderr


@pytest.mark.slow
def test_the_detectors_job_on_a_users_boxes(checkout):
    make_box_dataset(checkout.parent / "my boxes", train=6, val=4)
    small = "image_size=64 train_sizes=[1.0] epochs=1 batch_size=2 min_steps=2"
    options = " ".join(f"--set {each}" for each in small.split())
    variables = {"dataset": "my boxes", "train_options": options, "formats": "pt"}
    stages = ["check", "train", "convert", "validate", "draw"]
    first = job(checkout, "scripts/train_detector.sh", **variables)
    assert first.returncode == 0, first.stderr
    assert [f"-- {stage} took" in first.stdout for stage in stages] == [True] * 5
    for name in ("sv_detector/model/yolov5n_detector_best.pth", "deploy/yolov5n_detector_cpp_deploy.pt"):
        assert (checkout / name).is_file()
    assert "AP50" in (checkout / "sv_detector/validation.txt").read_text(encoding="utf-8")
    assert (checkout / "deploy/frames.png").read_bytes().startswith(b"\x89PNG")
    assert not (checkout / "demo").exists()

    again = job(checkout, "scripts/train_detector.sh", **variables)
    assert again.returncode == 0, again.stderr
    assert again.stdout.count("already finished") == 5

    label = checkout.parent / "my boxes/train/labels/000.txt"
    label.write_text("0 0.5 0.5 0.25 0.25\n", encoding="utf-8")
    other = job(checkout, "scripts/train_detector.sh", **variables)
    assert "-- check took" in other.stdout
    assert other.returncode == 2  # never trained on, or over, with other boxes
    assert "error: " in other.stderr


def test_the_detectors_job_names_a_folder_that_is_not_there(checkout):
    done = job(checkout, "scripts/train_detector.sh", dataset="nowhere")
    assert done.returncode == 2
    assert "nowhere: no such folder" in done.stderr


def test_setup_takes_the_active_python_and_changes_nothing(checkout):
    done = subprocess.run(
        ["bash", checkout / "scripts/setup.sh"], env=environment(), capture_output=True, text=True, check=True
    )
    assert Path(done.stdout.strip()).parent == Path(sys.executable).parent
    assert done.stderr == ""
    assert not (checkout / ".venv").exists()


def test_the_environment_check_names_what_is_missing(checkout):
    script = checkout / "scripts/check_environment.py"
    assert subprocess.run([sys.executable, script]).returncode == 0
    with (checkout / "requirements.txt").open("a") as file:
        file.write("no-such-distribution>=1  # for the test\ntorch>=99\n")
    done = subprocess.run([sys.executable, script], capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr == "not met: no-such-distribution>=1, torch>=99\n"

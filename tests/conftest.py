"""What several tests need: small class folders, a small trained checkpoint, and running a command."""

import io
import runpy
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from game_classifier.config import Config, GateConfig
from game_classifier.datasets.write_lists import annotate
from game_classifier.deploy import forms
from game_classifier.deploy.export import Conversion, convert
from game_classifier.deploy.frame_sets import calibration_frames, gate_frames
from game_classifier.frames.decode import Preprocessing
from game_classifier.lists.dataset import read_dataset
from game_classifier.models.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from game_classifier.models.zoo import build_model
from game_classifier.tasks.choose import task_of
from game_classifier.tasks.classification import known_frames
from game_classifier.training.fit import fit

ROOT = Path(__file__).resolve().parents[1]
CLASSES = ("red stripes", "green", "蓝色")
NETWORK = "repvgg_tiny"  # where the network is not what a test is about
DETECTOR = "yolov5n_detector"


def draw_frame(class_index: int, number: int, size: tuple[int, int] = (160, 90)) -> Image.Image:
    """A frame that a tiny network can learn: the class gives the strong colour, the number the picture."""
    random = np.random.default_rng([class_index, number])
    pixels = random.integers(0, 90, (size[1], size[0], 3), dtype=np.uint8)
    pixels[:, :, class_index] += 160
    return Image.fromarray(pixels).resize(size)


def make_class_folders(folder: Path, frames: int = 6, names: tuple[str, ...] = CLASSES) -> Path:
    """`folder/<class>/<episode>_<frame>.jpg`, two frames an episode."""
    for index, name in enumerate(names):
        (folder / name).mkdir(parents=True)
        for number in range(frames):
            draw_frame(index, number).save(folder / name / f"{number // 2}_{number}.jpg", quality=95)
    return folder


def make_dataset(folder: Path, train: int = 6, val: int = 4) -> Path:
    """A data set with its lists; the classes' order is alphabetical."""
    make_class_folders(folder / "train", train)
    for index, name in enumerate(CLASSES):
        (folder / "val" / name).mkdir(parents=True)
        for number in range(100, 100 + val):
            draw_frame(index, number).save(folder / "val" / name / f"{number}.jpg", quality=95)
    annotate(folder, None, allow_missing=False)
    return folder


def tiny_config(**changes) -> Config:
    """A recipe of seconds, exact on every processor: plain fp32."""
    values = {"network": NETWORK, "image_size": 32, "train_sizes": [1.0]}
    values |= {"epochs": 2, "batch_size": 6, "min_steps": 4, "lr": 0.005}
    return Config(**values | {"precision": "fp32", "threads": 2} | changes)


@pytest.fixture(scope="session", autouse=True)
def few_outliers():
    """Making thousands of outliers takes seconds, in each training with a hundred validation frames."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(known_frames, "MADE_UP", 20 * len(known_frames.KINDS))
        yield


@dataclass(frozen=True)
class Trained:
    """A finished training that tests may read but not change."""

    dataset: Path
    out: Path
    best: Path


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    folder = tmp_path_factory.mktemp("trained")
    dataset = make_dataset(folder / "data")
    best = fit(tiny_config(min_steps=30, lr=0.005), read_dataset(dataset), folder / "out", resume=False)
    return Trained(dataset, folder / "out", best)


def random_detector(path: Path, size: Preprocessing, class_names: tuple[str, ...]) -> Path:
    """A checkpoint of a detector with random weights, which finds other boxes with any scores on each frame."""
    torch.manual_seed(0)
    network = build_model(DETECTOR, len(class_names))
    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.momentum = 1.0  # the statistics of these frames: with others, nothing is left of a picture
        network.train()(torch.rand(16, 3, size.height, size.width))
        for output in network.head.outputs:
            output.weight *= 5
            output.bias.view(-1, 5 + len(class_names))[:, 4:] += 3
    save_checkpoint(path, Checkpoint(DETECTOR, class_names, size, network.state_dict(), 1))
    return path


@pytest.fixture(scope="session")
def detector(tmp_path_factory: pytest.TempPathFactory, trained: Trained) -> Trained:
    """A detector for the classes of `trained`, beside the same frames."""
    out = tmp_path_factory.mktemp("detector")
    size = Preprocessing(64, 64, "letterbox", (0.0,) * 3, (1.0,) * 3)
    return Trained(trained.dataset, out, random_detector(out / "detector.pth", size, tuple(sorted(CLASSES))))


@pytest.fixture(scope="module", params=["trained", "detector"])
def either(request: pytest.FixtureRequest) -> Trained:
    """A network of each task: what a test promises of batch prediction holds for both."""
    return request.getfixturevalue(request.param)


@pytest.fixture(scope="session")
def sure(tmp_path_factory: pytest.TempPathFactory, trained: Trained) -> Path:
    """`trained` as sure of its answers as if it had learnt for longer."""
    path = tmp_path_factory.mktemp("sure") / "sure.pth"
    save_checkpoint(path, replace(load_checkpoint(trained.best), temperature=0.1))
    return path


@pytest.fixture(scope="session")
def calibrated(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """A training with enough validation frames to be calibrated, and for the `known` score."""
    folder = tmp_path_factory.mktemp("calibrated")
    dataset = make_dataset(folder / "data", train=6, val=34)
    best = fit(tiny_config(min_steps=20), read_dataset(dataset), folder / "out", resume=False)
    return Trained(dataset, folder / "out", best)


@pytest.fixture(scope="session")
def everything(tmp_path_factory: pytest.TempPathFactory, trained: Trained) -> Conversion:
    """`trained` in every format but the compiled one; tests may read the files but not change them."""
    known, data, task = load_checkpoint(trained.best), read_dataset(trained.dataset), task_of(NETWORK)
    judged = gate_frames(task, data.val, 256, known.preprocessing, 2)
    calibration = calibration_frames(task, data.train, 9, known.preprocessing, 2)
    # Among three classes learnt in seconds bf16 may turn a narrow answer; the demo's figures are in docs/conversion.md.
    loose = GateConfig(bf16_agreement=0.9, int8_agreement=0.9, top1_drop=0.1)
    folder, formats = tmp_path_factory.mktemp("everything"), forms.installed_formats()
    return convert(known, folder, judged, formats=formats, calibration=calibration, limits=loose)


@dataclass(frozen=True)
class Outcome:
    """How a command ended."""

    status: int
    out: str
    err: str

    @property
    def error(self) -> str:
        """The one line of an error; fails when the command did not end with one."""
        assert self.status == 2, self
        line = self.err.strip().splitlines()[-1]
        assert line.startswith("error: "), self.err
        assert "Traceback" not in self.err
        return line.removeprefix("error: ")


def run_script(script: str, *arguments: object) -> Outcome:
    """Run a command of the project as `python SCRIPT ARGUMENT...` does, in this process."""
    out, err = (io.TextIOWrapper(io.BytesIO(), "utf-8", newline="", write_through=True) for _ in range(2))
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
        patch.setattr(sys, "argv", [script, *map(str, arguments)])
        with pytest.raises(SystemExit) as end:
            runpy.run_path(str(ROOT / script), run_name="__main__")
    return Outcome(end.value.code or 0, *(stream.buffer.getvalue().decode() for stream in (out, err)))


def program(path: Path, text: str) -> Path:
    """A program in the place of an environment's Python."""
    path.write_text(text)
    path.chmod(0o755)
    return path


@pytest.fixture
def run() -> Callable[..., Outcome]:
    """`run_script`, which fixtures of a wider scope call by its name."""
    return run_script


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """Chromium without a window; the test is skipped where it is not installed."""
    playwright = pytest.importorskip("playwright.sync_api", reason="needs the Python package playwright")
    executable = shutil.which("chromium")
    if not executable:
        pytest.skip("needs chromium (Debian: apt-get install chromium)")
    with playwright.sync_playwright() as running:
        opened = running.chromium.launch(executable_path=executable, args=["--no-sandbox"])
        yield opened
        opened.close()


def contents(folder: Path) -> dict[str, bytes]:
    """Every file below `folder`: relative path -> bytes."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}

"""What several tests need: small class folders, a small trained checkpoint, and running a command."""

import runpy
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from game_classifier.config import Config
from game_classifier.datasets.write_lists import annotate
from game_classifier.lists.dataset import read_dataset
from game_classifier.training.fit import fit

ROOT = Path(__file__).resolve().parents[1]
CLASSES = ("red stripes", "green", "蓝色")


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
    values = {"image_size": 32, "train_sizes": [1.0], "epochs": 2, "batch_size": 6, "min_steps": 4, "lr": 0.005}
    return Config(**values | {"precision": "fp32", "threads": 2} | changes)


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


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Outcome]:
    """Run a command of the project as `python SCRIPT ARGUMENT...` does, in this process."""

    def run_script(script: str, *arguments: object) -> Outcome:
        monkeypatch.setattr(sys, "argv", [script, *map(str, arguments)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as end:
            runpy.run_path(str(ROOT / script), run_name="__main__")
        captured = capsys.readouterr()
        return Outcome(end.value.code or 0, captured.out, captured.err)

    return run_script

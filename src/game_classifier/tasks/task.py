"""The seam between a task and the rest of the house.

Frames, lists, cache, steps, resume, averaging, several processes, deployed files and kill-safe writing are the same
whatever a network answers. What differs is named here. A task is a folder beside this file that implements `Task`;
its network in models/zoo.py names it, and tasks/choose.py finds it.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, Self

import numpy as np
import torch
from torch import Tensor

from game_classifier.config import Config, GateConfig
from game_classifier.lists.dataset import Dataset
from game_classifier.lists.filelist import FileList


class Objective(Protocol):
    """What training asks of the network. It is made once a training and keeps no state between steps."""

    def order(self, count: int, seed: int) -> np.ndarray:
        """The rows of the training list that an epoch goes through, int64 [count]; the seed alone decides."""
        ...

    def batch(
        self, frames: Tensor, rows: np.ndarray, size: tuple[int, int], generator: torch.Generator
    ) -> tuple[Tensor, Any]:
        """Augmented frames float32 [n, 3, *size] in 0..255 of `frames` uint8 [n, 3, H, W], and their targets.

        `rows` int [n] are the frames' rows of the training list. `generator` and torch's and numpy's global
        generators, which are seeded for each step, are the only sources of chance.
        """
        ...

    def loss(self, outputs: Any, targets: Any) -> Tensor:
        """The mean loss, float32 [], of what the network gave for a batch's frames."""
        ...


class Scores(Protocol):
    """What answers are worth. Batches are added in any order and number without changing the result."""

    @property
    def frames(self) -> int:
        """How many frames were counted: those with a target."""
        ...

    def add(self, answers: np.ndarray, targets: Any) -> None:
        """Add the answers for some frames, [n, ...], and what was asked for; frames without a target count nowhere."""
        ...

    def merge(self, other: Self) -> None:
        """Add what was counted on other frames."""
        ...

    def figures(self) -> dict[str, float]:
        """Name -> score in 0..1, as metrics.jsonl and checkpoints have them; NaN where no frame had a target."""
        ...

    def state_dict(self) -> dict[str, Tensor]:
        """What `describe` and `draw` need, to be kept with the best checkpoint."""
        ...

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """The inverse of `state_dict`."""
        ...

    def describe(self) -> str:
        """A table of the classes, for the terminal."""
        ...

    def draw(self, folder: Path) -> None:
        """Write pictures into `folder`."""
        ...


class Comparison(Protocol):
    """What the gate compares: the answers of one form of a network with those of the trained network."""

    def figures(self, answers: np.ndarray, expected: np.ndarray, targets: Any) -> dict[str, float | None]:
        """What is measured of `answers` beside `expected`, as conversion.json and deployed files have it."""
        ...

    def complaint(
        self,
        figures: Mapping[str, Any],
        trained: Mapping[str, Any],
        precision: str,
        limits: GateConfig,
        targets: Any,
    ) -> str:
        """Which limit a form in `precision` misses, in words; "" for none. `trained`: the trained network's figures."""
        ...

    def complaint_beside_record(self, figures: Mapping[str, Any], recorded: float, targets: Any) -> str:
        """What is wrong when the trained network scores less than its checkpoint `recorded`, chance aside; or ""."""
        ...

    def cells(self, figures: Mapping[str, Any]) -> dict[str, str]:
        """Title -> text of the gate's table."""
        ...

    def hits(self, answers: np.ndarray, targets: Any) -> np.ndarray:
        """How right each answer is, float64 [n] in 0..1: what INT8 with accuracy control keeps up."""
        ...


class Results(Protocol):
    """What the rows of all predicted lists say together."""

    not_read: Mapping[str, int]  # reason -> files

    def add_list(self, manifest: dict[str, Any]) -> None:
        """Begin the next list; its rows follow."""
        ...

    def add_rows(self, start: int, rows: np.ndarray) -> None:
        """Add rows of the list begun last; the first of them is row `start`."""
        ...

    def write(self, folder: Path) -> str:
        """Write the result files into `folder`; returns their names in words."""
        ...

    def describe(self) -> str:
        """Tables for the terminal."""
        ...


class Rows(Protocol):
    """What batch prediction writes for each line of a list."""

    def dtype(self, num_classes: int) -> np.dtype:
        """The structured type of a row; `status` uint8 is one of its fields."""
        ...

    def begin(self, table: np.ndarray, frames: FileList) -> None:
        """Fill the rows of a list before the first frame is read."""
        ...

    def fill(self, rows: np.ndarray, answers: np.ndarray) -> np.ndarray:
        """Return `rows` [n], all of frames that were read, with their answers [n, ...]."""
        ...

    def results(self, class_names: tuple[str, ...]) -> Results:
        """Empty results."""
        ...

    def describe_answer(self, answer: np.ndarray, class_names: Sequence[str]) -> str:
        """One frame's answer, for the terminal."""
        ...


class Task(Protocol):
    """A task. Its parts belong to the stages that use them: training, validation, the gate, batch prediction."""

    name: str
    output: str  # what an answer is, as the metadata of deployed files says it
    best_by: str  # the figure of `Scores` that chooses the best epoch
    columns: Mapping[str, str]  # figure of `Scores` -> its title in tables
    curves: Mapping[str, str]  # figure -> its name in curves.png
    nothing_to_score: str  # why a list gives no scores, with the remedy

    comparison: Comparison
    rows: Rows

    def targets(self, frames: FileList) -> Any:
        """What each row of a list asks for; an array or a sequence that an int array [n] indexes."""
        ...

    def has_target(self, targets: Any) -> np.ndarray:
        """Whether each frame has a target, bool [n]."""
        ...

    def strata(self, targets: Any) -> np.ndarray:
        """A group for each frame, int [n], by which a sample of the frames is balanced."""
        ...

    def objective(self, config: Config, dataset: Dataset, device: torch.device) -> Objective:
        """What a training by this recipe on this data asks of the network."""
        ...

    def scores(self, class_names: Sequence[str]) -> Scores:
        """Empty scores."""
        ...

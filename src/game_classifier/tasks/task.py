"""The interface between a task and the rest of the package.

Frames, lists, cache, steps, resume, averaging, several processes, deployed files and kill-safe writing are the same for
every task. This file names everything that differs. A task is a folder beside this file that implements `Task`; a
network in models/zoo.py names its task, and tasks/choose.py finds it.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, Self

import numpy as np
import torch
from torch import Tensor, nn

from game_classifier.config import Config, GateConfig
from game_classifier.frames.decode import Preprocessing
from game_classifier.frames.loader import FrameReader
from game_classifier.lists.dataset import Dataset
from game_classifier.lists.filelist import FileList
from game_classifier.models.checkpoint import Checkpoint
from game_classifier.models.frame_network import FrameNetwork
from game_classifier.models.known import Known


@dataclass(frozen=True)
class Adjustment:
    """What a finished training adds to its network so that its answers can be believed."""

    temperature: float  # divides the network's outputs
    sentence: str  # what was measured, for the terminal
    known: Known | None = None  # tells frames that show nothing the network knows


class Objective(Protocol):
    """The goal of a training. It is made once for each training and keeps no state between steps."""

    def order(self, count: int, seed: int) -> np.ndarray:
        """The rows of the training list that an epoch goes through, int64 [count]; the seed alone decides."""
        ...

    def batch(
        self, frames: Tensor, rows: np.ndarray, size: tuple[int, int], progress: float, generator: torch.Generator
    ) -> tuple[Tensor, Any]:
        """Augmented frames float32 [n, 3, *size] in 0..255 of `frames` uint8 [n, 3, H, W], and their targets.

        `rows` int [n] are the frames' rows of the training list, `progress` in 0..1 is the share of the training's
        steps that are done. `generator` and torch's and numpy's global generators, which are seeded for each step, are
        the only sources of chance.
        """
        ...

    def loss(self, outputs: Any, targets: Any) -> Tensor:
        """The mean loss, float32 [], of the network's outputs for a batch."""
        ...


class Scores(Protocol):
    """The scores of answers. Batches may be added in any order and number without changing the result."""

    @property
    def frames(self) -> int:
        """How many frames were counted: those with a target."""
        ...

    def add(self, answers: Any, targets: Any) -> None:
        """Add the answers for some frames and their targets; frames without a target do not count.

        Answers are an array [n, ...], or a tuple of such arrays if the task's networks have several outputs.
        """
        ...

    def merge(self, other: Self) -> None:
        """Add the counts of other frames."""
        ...

    def figures(self) -> dict[str, float]:
        """Name -> score in 0..1, as in metrics.jsonl and checkpoints; NaN if no frame had a target."""
        ...

    def state_dict(self) -> dict[str, Tensor]:
        """The state that `describe` and `draw` need, kept with the best checkpoint."""
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
    """The gate's comparison of the answers of one form of a network with those of the trained network."""

    def of_checkpoint(self, checkpoint: Checkpoint) -> Self:
        """The comparison for the forms of this checkpoint's network; `cells` alone does without."""
        ...

    def collect(self, batches: Iterable[Any], targets: Any) -> Any:
        """What `figures` needs of the answers for all frames, in batches one after the other."""
        ...

    def on_network(self, answers: Any, height: int, width: int) -> Any:
        """Answers for whole frames of this size, with places moved to the network's frame."""
        ...

    def figures(self, answers: Any, expected: Any, targets: Any) -> dict[str, float | None]:
        """Measurements of collected `answers` compared with `expected`, as in conversion.json and deployed files."""
        ...

    def complaint(
        self,
        figures: Mapping[str, Any],
        trained: Mapping[str, Any],
        precision: str,
        limits: GateConfig,
        targets: Any,
    ) -> str:
        """The limit that a form in `precision` misses, in words, or "". `trained` are the trained network's figures."""
        ...

    def complaint_beside_record(self, figures: Mapping[str, Any], recorded: float, targets: Any) -> str:
        """A complaint if the trained network scores less than its checkpoint `recorded`, chance aside; or ""."""
        ...

    def cells(self, figures: Mapping[str, Any]) -> dict[str, str]:
        """Title -> text of the gate's table."""
        ...

    def golden(self, answers: Any, class_names: Sequence[str]) -> dict[str, Any]:
        """The answers for one frame as plain values, for golden.json."""
        ...


class Results(Protocol):
    """The results of all predicted lists together."""

    not_read: Mapping[str, int]  # reason -> files

    def add_list(self, manifest: dict[str, Any]) -> None:
        """Begin the next list; its rows follow."""
        ...

    def add_rows(self, start: int, rows: np.ndarray, boxes: np.ndarray | None) -> None:
        """Add rows of the list begun last, and their boxes if the task has boxes; the first of them is row `start`."""
        ...

    def write(self, folder: Path) -> str:
        """Write the result files into `folder`; returns their names in words."""
        ...

    def describe(self) -> str:
        """Tables for the terminal."""
        ...


@dataclass(frozen=True)
class Answered:
    """Frames that were read, and the answers for them."""

    rows: np.ndarray  # int64 [n], the frames' rows of the list
    sizes: np.ndarray  # int32 [n, 2], height and width in pixels of the whole picture in each file, upright
    answers: Any  # [n, ...], an array, or a tuple of such arrays
    preprocessing: Preprocessing  # between the picture and the network's frame


class Rows(Protocol):
    """The rows that batch prediction writes, one for each line of a list, and their boxes if the task has boxes."""

    boxes: np.dtype | None  # structured type of a box, and `boxes` of a row is in its fields `first` and `count`

    def settings(self) -> dict[str, Any]:
        """What the rows depend on besides the network and the frames, as in the manifest."""
        ...

    def with_least_score(self, least_score: float) -> Self:
        """Rows with boxes above this score alone; InputError if the task has no boxes, or for one outside 0 to 1."""
        ...

    def dtype(self, num_classes: int, with_known: bool) -> np.dtype:
        """The structured type of a row; `status` uint8 is one of its fields."""
        ...

    def begin(self, table: np.ndarray, frames: FileList) -> None:
        """Fill the rows of a list before the first frame is read."""
        ...

    def fill(self, rows: np.ndarray, answered: Answered) -> np.ndarray | None:
        """Write the answers into `rows` [n]; returns the boxes of these rows, in their order, if the task has boxes.

        `first` stays as it is: what comes before is known when all frames are read.
        """
        ...

    def results(self, class_names: tuple[str, ...], refuse: float | None) -> Results:
        """Empty results, which refuse this share of the frames that the network knows; None: each file's own share.

        Raises InputError for a share if the task refuses nothing.
        """
        ...

    def describe_row(
        self, row: np.void, boxes: np.ndarray | None, class_names: Sequence[str], refuse_below: float | None
    ) -> str:
        """A frame's row and boxes, for the terminal; `refuse_below` is the threshold of `known`, if the row has it."""
        ...


class Task(Protocol):
    """A task. Its parts belong to the stages that use them: training, validation, the gate, batch prediction."""

    name: str
    output: str  # the form of an answer, as in the metadata of deployed files
    best_by: str  # the figure of `Scores` that chooses the best epoch
    columns: Mapping[str, str]  # figure of `Scores` -> its title in tables
    curves: Mapping[str, str]  # figure -> its name in curves.png
    nothing_to_score: str  # why a list gives no scores, with the remedy

    comparison: Comparison
    rows: Rows

    def read_dataset(self, folder: Path, root: Path | None) -> Dataset:
        """The data set in a folder, with all its targets; InputError, with file and line, for what is wrong in it."""
        ...

    def read_list(self, path: Path, num_classes: int, root: Path | None) -> FileList:
        """A list with the targets of its frames, for scoring; InputError as above."""
        ...

    def targets(self, frames: FileList) -> Any:
        """The target of each row of a list; an array or a sequence that an int array [n] indexes."""
        ...

    def has_target(self, targets: Any) -> np.ndarray:
        """Whether each frame has a target, bool [n]."""
        ...

    def strata(self, targets: Any) -> np.ndarray:
        """A group for each frame, int [n]; samples of frames are balanced over these groups."""
        ...

    def prepare(self, network: nn.Module, config: Config, dataset: Dataset) -> str:
        """Adapt a network to the data before its first step; returns in a sentence what was done, or ""."""
        ...

    def objective(self, config: Config, dataset: Dataset, device: torch.device, network: nn.Module) -> Objective:
        """The objective of a training of `network`, on `device`, with this recipe on this data."""
        ...

    def scores(self, class_names: Sequence[str], frames: FileList, preprocessing: Preprocessing) -> Scores:
        """Empty scores of answers for frames of a list."""
        ...

    def calibrate(
        self,
        network: FrameNetwork,
        dataset: Dataset,
        config: Config,
        threads: int,
        caches: tuple[FrameReader | None, FrameReader | None],
    ) -> Adjustment:
        """Calibrate a trained network; `network` gives its outputs.

        `caches` hold the first training and validation frames. The same network, data set and recipe give the same
        adjustment.
        """
        ...

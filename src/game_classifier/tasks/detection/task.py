"""The task of finding objects on each frame. Its parts are the other files of this folder."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import nn

from game_classifier.config import Config
from game_classifier.frames.decode import Preprocessing
from game_classifier.frames.loader import FrameReader
from game_classifier.lists.box_list import BoxList, FrameBoxes, read_box_list, without_boxes
from game_classifier.lists.dataset import Dataset, read_lists
from game_classifier.lists.filelist import FileList
from game_classifier.models.frame_network import FrameNetwork
from game_classifier.tasks.detection.comparison import BoxComparison
from game_classifier.tasks.detection.criteria import criterion_of
from game_classifier.tasks.detection.objective import BoxObjective, box_objective, require_recipe
from game_classifier.tasks.detection.rows import BoxRows
from game_classifier.tasks.detection.scores import COLUMNS, CURVES, BoxScores
from game_classifier.tasks.task import Adjustment


class Detection:
    """Answers are boxes float32 [n, M, 4] in pixels of the network's frame and scores float32 [n, M, C].

    Targets are FrameBoxes.
    """

    name = "detection"
    output = "boxes float32 [N, M, 4], x1 y1 x2 y2 in pixels, and scores float32 [N, M, C]; before NMS"
    best_by = "ap"
    columns = COLUMNS
    curves = CURVES
    nothing_to_score = "no frame that can be read has a box, so there is nothing to score"

    comparison = BoxComparison()
    rows = BoxRows()

    def read_dataset(self, folder: Path, root: Path | None) -> Dataset:
        """Lists of paths whose frames have label files."""
        return read_lists(folder, root, read_box_list)

    def read_list(self, path: Path, num_classes: int, root: Path | None) -> BoxList:
        """A list of paths whose frames have label files."""
        return read_box_list(path, num_classes, root)

    def targets(self, frames: FileList) -> FrameBoxes:
        """The boxes of the frames; none at all if `frames` is no BoxList."""
        return frames.boxes if isinstance(frames, BoxList) else without_boxes(len(frames))

    def has_target(self, targets: FrameBoxes) -> np.ndarray:
        """Every frame, since background is a target too; but none if no frame has a box."""
        return np.full(len(targets), len(targets.boxes) > 0)

    def strata(self, targets: FrameBoxes) -> np.ndarray:
        """The class of each frame's first box; background is -1."""
        firsts = (targets.of(number)["class"][:1] for number in range(len(targets)))
        return np.array([first[0] if len(first) else -1 for first in firsts], np.int64)

    def prepare(self, network: nn.Module, config: Config, dataset: Dataset) -> str:
        """Check the recipe, and adapt the head to the training boxes."""
        require_recipe(config)
        return criterion_of(network.head).prepare(dataset.train.boxes, config)

    def objective(self, config: Config, dataset: Dataset, device: torch.device, network: nn.Module) -> BoxObjective:
        """The loss of the network's head on augmented frames."""
        return box_objective(config, dataset.train, network)

    def scores(self, class_names: Sequence[str], frames: FileList, preprocessing: Preprocessing) -> BoxScores:
        """Average precision."""
        return BoxScores(class_names, frames, preprocessing)

    def calibrate(
        self,
        network: FrameNetwork,
        dataset: Dataset,
        config: Config,
        threads: int,
        caches: tuple[FrameReader | None, FrameReader | None],
    ) -> Adjustment:
        """Nothing: scores of boxes rank them, and are not calibrated."""
        return Adjustment(1.0, "scores of boxes are not calibrated")

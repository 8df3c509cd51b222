"""The task of choosing one class for each frame. Its parts are the other files of this folder."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import nn

from game_classifier.config import Config
from game_classifier.frames.decode import Preprocessing
from game_classifier.frames.loader import FrameReader
from game_classifier.lists.dataset import Dataset, read_dataset
from game_classifier.lists.filelist import FileList, read_file_list
from game_classifier.models.frame_network import FrameNetwork
from game_classifier.tasks.classification.comparison import ProbabilityComparison
from game_classifier.tasks.classification.known import known_score
from game_classifier.tasks.classification.known_frames import Reading
from game_classifier.tasks.classification.objective import ClassObjective, class_objective
from game_classifier.tasks.classification.rows import ClassRows
from game_classifier.tasks.classification.scores import COLUMNS, CURVES, ClassScores
from game_classifier.tasks.classification.temperature import calibrate
from game_classifier.tasks.task import Adjustment


class Classification:
    """Answers are probabilities float32 [n, C], with `known` behind them if the network gives it.

    The targets are class indices int [n], below 0 where there is none.
    """

    name = "classification"
    output = "float32 probabilities [N, C]"
    best_by = "top1"
    columns = COLUMNS
    curves = CURVES
    nothing_to_score = "no line has a class index, so there is nothing to score; tool/get_annotation.py writes them"

    comparison = ProbabilityComparison()
    rows = ClassRows()

    def read_dataset(self, folder: Path, root: Path | None) -> Dataset:
        """Lists whose lines all have a class index."""
        return read_dataset(folder, root)

    def read_list(self, path: Path, num_classes: int, root: Path | None) -> FileList:
        """A list whose lines may have a class index."""
        return read_file_list(path, num_classes, root)

    def targets(self, frames: FileList) -> np.ndarray:
        """The class indices of the lines."""
        return frames.labels

    def has_target(self, targets: np.ndarray) -> np.ndarray:
        """Whether each line has a class index."""
        return targets >= 0

    def strata(self, targets: np.ndarray) -> np.ndarray:
        """The classes themselves."""
        return targets

    def prepare(self, network: nn.Module, config: Config, dataset: Dataset) -> str:
        """Nothing."""
        return ""

    def objective(self, config: Config, dataset: Dataset, device: torch.device, network: nn.Module) -> ClassObjective:
        """Cross-entropy on augmented frames."""
        return class_objective(config, dataset, device)

    def scores(self, class_names: Sequence[str], frames: FileList, preprocessing: Preprocessing) -> ClassScores:
        """Top-1, top-5 and the means over the classes."""
        return ClassScores(class_names)

    def calibrate(
        self,
        network: FrameNetwork,
        dataset: Dataset,
        config: Config,
        threads: int,
        caches: tuple[FrameReader | None, FrameReader | None],
    ) -> Adjustment:
        """The temperature of the logits, and the score that tells frames of no known game."""
        size, seed = config.preprocessing(), config.seed
        temperature = calibrate(network.infer, dataset.val, size, config.batch_size, threads, seed, caches[1])
        fitted = known_score(network, dataset, Reading(size, config.batch_size, threads), caches, config.refuse, seed)
        return replace(temperature, known=fitted.known, sentence=f"{temperature.sentence}\n{fitted.sentence}")

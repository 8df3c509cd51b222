"""The training objective of a classifier: cross-entropy on augmented frames."""

from dataclasses import dataclass

import numpy as np
import torch
from timm.data import Mixup
from torch import Tensor
from torch.nn import functional as F

from game_classifier.config import Config
from game_classifier.frames.augment import Augmentation, augment
from game_classifier.lists.dataset import Dataset
from game_classifier.tasks.classification.sampling import class_weights, epoch_rows


@dataclass(frozen=True)
class ClassObjective:
    """See tasks/task.py, `Objective`."""

    labels: np.ndarray  # int [N], of the training list
    balance: str  # "none", "sampling" or "loss"
    change: Augmentation
    mix: Mixup | None  # timm's mixup and cutmix
    label_smoothing: float
    class_weights: Tensor | None  # float32 [C]

    def order(self, count: int, seed: int) -> np.ndarray:
        """Every frame once in random order, or each class equally often."""
        return epoch_rows(self.labels, count, self.balance, seed)

    def batch(
        self, frames: Tensor, rows: np.ndarray, size: tuple[int, int], generator: torch.Generator
    ) -> tuple[Tensor, Tensor]:
        """Changed frames and their classes: int64 [n] or, when they are mixed, float32 [n, C]."""
        targets = torch.from_numpy(self.labels[rows]).long().to(frames.device)
        pixels = augment(frames, size, self.change, generator)
        if self.mix and len(pixels) % 2 == 0:  # Mixup pairs the frames of a batch
            return self.mix(pixels, targets)
        return pixels, targets

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Cross-entropy of logits [n, C]."""
        return F.cross_entropy(outputs.float(), targets, self.class_weights, label_smoothing=self.label_smoothing)


def class_objective(config: Config, dataset: Dataset, device: torch.device) -> ClassObjective:
    """The objective of a recipe on a data set."""
    labels, num_classes = dataset.train.labels, len(dataset.class_names)
    mix = weights = None
    if config.augment.mixup or config.augment.cutmix:
        mix = Mixup(config.augment.mixup, config.augment.cutmix, label_smoothing=0, num_classes=num_classes)
    if config.balance == "loss":
        weights = class_weights(labels, num_classes).to(device)
    return ClassObjective(labels, config.balance, config.augmentation(), mix, config.label_smoothing, weights)

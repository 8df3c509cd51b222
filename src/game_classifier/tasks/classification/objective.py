"""The training objective of a classifier: true classes of augmented frames, and the answers of a teacher."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from timm.data import Mixup
from torch import Tensor
from torch.nn import functional as F

from game_classifier.config import Config
from game_classifier.device import choose_precision
from game_classifier.frames.augment import Augmentation, augment
from game_classifier.frames.decode import resize_pixels
from game_classifier.lists.dataset import Dataset
from game_classifier.tasks.classification.sampling import class_weights, epoch_rows
from game_classifier.tasks.classification.teacher import Teacher, distillation_loss, open_teacher


@dataclass(frozen=True)
class Targets:
    """What the network shall answer for a batch of n frames."""

    classes: Tensor  # int64 [n] or, when frames are mixed, float32 [n, C]
    taught: Tensor | None = None  # the teacher's logits float32 [n, C]


@dataclass(frozen=True)
class ClassObjective:
    """See tasks/task.py, `Objective`."""

    labels: np.ndarray  # int [N], of the training list
    balance: str  # "none", "sampling" or "loss"
    change: Augmentation
    calm_end: float = 0.0  # share of the steps, at the end, with `change.calm()`
    mix: Mixup | None = None  # timm's mixup and cutmix
    label_smoothing: float = 0.0
    class_weights: Tensor | None = None  # float32 [C]
    teacher: Teacher | None = None
    distill_weight: float = 0.0  # the teacher's part of the loss, 0..1
    distill_temperature: float = 1.0

    def order(self, count: int, seed: int) -> np.ndarray:
        """Every frame once in random order, or each class equally often."""
        return epoch_rows(self.labels, count, self.balance, seed)

    def batch(
        self, frames: Tensor, rows: np.ndarray, size: tuple[int, int], progress: float, generator: torch.Generator
    ) -> tuple[Tensor, Targets]:
        """Changed frames and their targets. With a teacher, frames are changed at full size and then made smaller."""
        classes = torch.from_numpy(self.labels[rows]).long().to(frames.device)
        change = self.change if progress < 1 - self.calm_end else self.change.calm()
        pixels = augment(frames, size if self.teacher is None else tuple(frames.shape[2:]), change, generator)
        if self.mix and len(pixels) % 2 == 0:  # Mixup pairs the frames of a batch
            pixels, classes = self.mix(pixels, classes)
        if self.teacher is None:
            return pixels, Targets(classes)
        return resize_pixels(pixels, size), Targets(classes, self.teacher.logits(pixels))

    def loss(self, outputs: Tensor, targets: Targets) -> Tensor:
        """Cross-entropy of logits [n, C]; with a teacher, the weighted mean of it and the distance from the teacher."""
        outputs = outputs.float()
        loss = F.cross_entropy(outputs, targets.classes, self.class_weights, label_smoothing=self.label_smoothing)
        if targets.taught is None:
            return loss
        return loss.lerp(distillation_loss(outputs, targets.taught, self.distill_temperature), self.distill_weight)


def class_objective(config: Config, dataset: Dataset, device: torch.device) -> ClassObjective:
    """The objective of a recipe on a data set."""
    labels, num_classes = dataset.train.labels, len(dataset.class_names)
    mix = weights = teacher = None
    if config.augment.mixup or config.augment.cutmix:
        mix = Mixup(config.augment.mixup, config.augment.cutmix, label_smoothing=0, num_classes=num_classes)
    if config.balance == "loss":
        weights = class_weights(labels, num_classes).to(device)
    if config.teacher:
        precision = choose_precision(config.precision, device)
        teacher = open_teacher(Path(config.teacher), dataset.class_names, device, precision)
    return ClassObjective(
        labels=labels,
        balance=config.balance,
        change=config.augmentation(),
        calm_end=config.augment.calm_end,
        mix=mix,
        label_smoothing=config.label_smoothing,
        class_weights=weights,
        teacher=teacher,
        distill_weight=config.distill.weight,
        distill_temperature=config.distill.temperature,
    )

"""The training objective of a detector: boxes that move with their augmented frames, and the loss of its head."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from game_classifier.config import Config
from game_classifier.errors import InputError
from game_classifier.frames.decode import Preprocessing
from game_classifier.lists.box_list import BoxList, FrameBoxes
from game_classifier.tasks.detection.augment import BoxAugmentation, augment_boxes
from game_classifier.tasks.detection.criteria import Criterion, criterion_of
from game_classifier.tasks.detection.geometry import Targets, to_targets
from game_classifier.tasks.order import shuffled_passes

STRIDE = 32  # sides of frames are multiples of it: each map is then exactly half of the one before
# Keys of a recipe that no detector uses, with the values that say so.
UNUSED = {"balance": "none", "label_smoothing": 0.0, "teacher": ""}
UNUSED_AUGMENT = ("erase", "stream", "mixup", "cutmix")


@dataclass(frozen=True)
class BoxObjective:
    """See tasks/task.py, `Objective`."""

    boxes: FrameBoxes  # of the training list
    preprocessing: Preprocessing
    change: BoxAugmentation
    calm_end: float  # share of the steps, at the end, with `change.calm()`
    criterion: Criterion  # of the head in training

    def order(self, count: int, seed: int) -> np.ndarray:
        """Every frame once in random order."""
        return shuffled_passes(len(self.boxes), count, torch.Generator().manual_seed(seed))

    def batch(
        self, frames: Tensor, rows: np.ndarray, size: tuple[int, int], progress: float, generator: torch.Generator
    ) -> tuple[Tensor, Targets]:
        """Changed frames, whose sides are multiples of STRIDE, and their boxes."""
        targets = to_targets(self.boxes[rows], self.preprocessing)
        height, width = (max(1, round(side / STRIDE)) * STRIDE for side in size)
        change = self.change if progress < 1 - self.calm_end else self.change.calm()
        pixels, targets = augment_boxes(frames, targets, (height, width), change, generator)
        return pixels, targets.to(frames.device)

    def loss(self, outputs: list[Tensor], targets: Targets) -> Tensor:
        """The loss of the head's kind."""
        return self.criterion.loss(outputs, targets)


def box_objective(config: Config, train: BoxList, network: nn.Module) -> BoxObjective:
    """The objective of a recipe; InputError for keys that a detector does not use."""
    require_recipe(config)
    change = BoxAugmentation(config.augmentation(), **config.detection.model_dump(exclude={"anchors"}))
    calm_end = config.augment.calm_end
    return BoxObjective(train.boxes, config.preprocessing(), change, calm_end, criterion_of(network.head))


def require_recipe(config: Config) -> None:
    """Raise InputError unless the recipe is one for detectors."""
    remedy = "config/detector.json is a recipe for detectors"
    sides = (config.preprocessing().height, config.preprocessing().width)
    if any(side % STRIDE for side in sides):
        raise InputError(f"image_size {config.image_size}: a detector needs multiples of {STRIDE}; {remedy}")
    wrong = [key for key, value in UNUSED.items() if getattr(config, key) != value]
    wrong += [f"augment.{key}" for key in UNUSED_AUGMENT if getattr(config.augment, key)]
    if wrong:
        raise InputError(f"{', '.join(wrong)}: not for detectors; set to 0 or none, or take another recipe: {remedy}")

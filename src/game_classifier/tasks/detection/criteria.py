"""What the detectors of each kind of head learn from: how boxes are matched with outputs, and the loss."""

from dataclasses import dataclass
from typing import Protocol

from torch import Tensor, nn

from game_classifier.config import Config
from game_classifier.lists.box_list import FrameBoxes
from game_classifier.models.anchor_head import AnchorHead
from game_classifier.models.pico_head import PicoHead
from game_classifier.tasks.detection.anchor_loss import anchor_loss
from game_classifier.tasks.detection.anchors import box_sides, fit_anchors
from game_classifier.tasks.detection.geometry import Targets
from game_classifier.tasks.detection.pico_loss import pico_loss


class Criterion(Protocol):
    """The goal of one kind of head."""

    def prepare(self, boxes: FrameBoxes, config: Config) -> str:
        """Adapt the head to the training boxes; returns in a sentence what was done, or ""."""
        ...

    def loss(self, outputs: list[Tensor], targets: Targets) -> Tensor:
        """The mean loss, float32 [], of the head's outputs for a batch."""
        ...


@dataclass(frozen=True)
class AnchorCriterion:
    """YOLOv5's, with anchors."""

    head: AnchorHead  # its anchors come from the data or a checkpoint

    def prepare(self, boxes: FrameBoxes, config: Config) -> str:
        """Check that the anchors fit the boxes, and look for others if the recipe lets it."""
        if config.detection.anchors == "keep":
            return ""
        return fit_anchors(self.head, box_sides(boxes, config.preprocessing()), config.seed)

    def loss(self, outputs: list[Tensor], targets: Targets) -> Tensor:
        """The loss of anchor_loss.py."""
        return anchor_loss(outputs, targets, self.head.anchors, self.head.strides, self.head.num_classes)


@dataclass(frozen=True)
class PicoCriterion:
    """PicoDet's, without anchors."""

    head: PicoHead

    def prepare(self, boxes: FrameBoxes, config: Config) -> str:
        """Nothing: distances to the sides fit all boxes."""
        return ""

    def loss(self, outputs: list[Tensor], targets: Targets) -> Tensor:
        """The loss of pico_loss.py."""
        return pico_loss(outputs, targets, self.head.strides, self.head.num_classes)


CRITERIA = {AnchorHead: AnchorCriterion, PicoHead: PicoCriterion}


def criterion_of(head: nn.Module) -> Criterion:
    """The criterion of a detector's head."""
    return CRITERIA[type(head)](head)

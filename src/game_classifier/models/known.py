"""The `known` score: how likely a frame shows one of the known games, computed inside the network beside its logits.

Logits do not tell it: a frame of another game gets the class that it is least unlike. The features before the
classifier do. They are turned so that frames of one class scatter alike in all directions, and compared with the class
means: the relative Mahalanobis distance of Ren et al., "A Simple Fix to Mahalanobis Distance for Improving Near-OOD
Detection", 2021. A small network that has seen outliers weighs this distance and the place itself.
tasks/classification/known.py fits all of it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import torch
from torch import Tensor, nn
from torch.nn.utils import skip_init

from game_classifier.models.refusals import Refusals
from game_classifier.models.zoo import classifier_names


@dataclass(frozen=True)
class Known:
    """What a finished training knows about its known frames, kept in the checkpoint."""

    head: dict[str, Tensor]  # the state of `KnownHead`
    refusals: Refusals

    def to_dict(self) -> dict[str, Any]:
        """Tensors and plain values for checkpoints."""
        return {"head": self.head, "refusals": self.refusals.to_dict()}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """The inverse of `to_dict`."""
        return cls(values["head"], Refusals.from_dict(values["refusals"]))


class KnownHead(nn.Module):
    """Features float [N, D] -> `known` float [N, 1] in 0..1, computed in float32 or float64.

    Its state: features less `center` [D] become places by `projection` [D, M], in directions that tell classes apart
    and in which frames of one class scatter by 1. There, `means` [C, M] are the places of the classes, and `precisions`
    [M] are 1 / the variance of the places of all frames. `hidden` is a layer of H units on the features, `relative` [H]
    its weights of the relative distance, and `output` the layer behind it.
    """

    def __init__(self, state: Mapping[str, Tensor]) -> None:
        super().__init__()
        for name in ("center", "projection", "means", "precisions", "relative"):
            self.register_buffer(name, state[name].clone())
        units, width = state["hidden.weight"].shape
        self.hidden = skip_init(nn.Linear, width, units)  # random weights would use up the caller's random numbers
        self.output = skip_init(nn.Linear, units, 1)
        self.load_state_dict(state)
        self.requires_grad_(False)

    def forward(self, features: Tensor) -> Tensor:
        """The probability that a frame is known, if known and unknown frames are equally frequent."""
        return torch.sigmoid(self.logit(features))

    def logit(self, features: Tensor) -> Tensor:
        """The logarithm of the odds, float [N, 1]."""
        features = features.to(self.center.dtype) - self.center
        distance = relative_distance(features @ self.projection, self.means, self.precisions)
        return self.output(torch.relu(self.hidden(features) + distance * self.relative))


def relative_distance(places: Tensor, means: Tensor, precisions: Tensor) -> Tensor:
    """The relative Mahalanobis distance [N, 1] of places [N, M]: to the nearest of `means`, less that to all frames."""
    # |place - mean|^2 - place^2 * precision, in which place^2 is taken together.
    nearest = (means.square().sum(dim=1) - 2 * places @ means.T).amin(dim=1, keepdim=True)
    return nearest + (places.square() * (1 - precisions)).sum(dim=1, keepdim=True)


class KnowingClassifier(nn.Module):
    """A network's last layer that appends `known` to the logits: features [N, D] -> [N, C + 1].

    A 1x1 convolution takes and gives maps instead, [N, D, H, W] -> [N, C + 1, H, W]; the score is the same in every
    place, so that the ReLU and the mean over all places, which follow in SqueezeNet, leave it as it is.
    """

    def __init__(self, classifier: nn.Module, head: Mapping[str, Tensor]) -> None:
        super().__init__()
        self.classifier = classifier
        self.known_head = KnownHead(head)
        self.is_map = isinstance(classifier, nn.Conv2d)

    def forward(self, features: Tensor) -> Tensor:
        """The score is in float32 whatever the network multiplies in."""
        logits = self.classifier(features)
        known = self.known_head(features.mean(dim=(2, 3)) if self.is_map else features)
        if self.is_map:
            known = known[:, :, None, None].expand(-1, -1, logits.shape[2], logits.shape[3])
        return torch.cat([logits.to(known.dtype), known], dim=1)


def add_known(network: nn.Module, head: Mapping[str, Tensor]) -> None:
    """Let the network's classifier append `known` to its logits, in place."""
    (name,) = classifier_names(network)
    parent, _, child = name.rpartition(".")
    classifier = network.get_submodule(name)
    setattr(network.get_submodule(parent), child, KnowingClassifier(classifier, head))


def gives_known(network: nn.Module) -> bool:
    """Whether the last column of the network's outputs is `known`."""
    return any(isinstance(module, KnowingClassifier) for module in network.modules())

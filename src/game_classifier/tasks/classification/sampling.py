"""The order in which a classifier sees its training frames, and the weight of each class."""

import numpy as np
import torch

from game_classifier.tasks.order import shuffled_passes


def epoch_rows(labels: np.ndarray, count: int, balance: str, seed: int) -> np.ndarray:
    """Return `count` rows of a list with these labels int [N], in random order; int64 [count].

    The list is repeated as often as needed, each time in another order. With balance "sampling" each
    class is drawn equally often instead, and rows may repeat.
    """
    generator = torch.Generator().manual_seed(seed)
    if balance == "sampling":
        weights = torch.from_numpy(1 / np.bincount(labels)[labels])
        return torch.multinomial(weights, count, replacement=True, generator=generator).numpy()
    return shuffled_passes(len(labels), count, generator)


def class_weights(labels: np.ndarray, num_classes: int) -> torch.Tensor:
    """Weights float32 [C] that make each class count alike in the loss; 1 on average over the frames."""
    counts = np.bincount(labels, minlength=num_classes)
    present = counts > 0
    weights = np.zeros(num_classes)
    weights[present] = len(labels) / (present.sum() * counts[present])
    return torch.from_numpy(weights).float()

"""A teacher: a trained network whose answers a smaller network learns beside the true classes.

Source: Hinton, Vinyals and Dean, "Distilling the Knowledge in a Neural Network", 2015. The teacher answers to the very
frames that the student sees, as in Beyer et al., "Knowledge distillation: A good teacher is patient and consistent",
2022.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from game_classifier.errors import InputError
from game_classifier.frames.decode import resize_pixels
from game_classifier.models.checkpoint import load_checkpoint
from game_classifier.models.fold import InBFloat16, fold
from game_classifier.models.zoo import require_classifier

NAMES_SHOWN = 3


@dataclass(frozen=True)
class Teacher:
    """A folded network with the classes of the data set, at its own frame size."""

    network: nn.Module  # normalised float32 [n, 3, *size] -> logits float32 [n, its classes]
    size: tuple[int, int]  # (height, width) of its frames
    mean: Tensor  # float32 [1, 3, 1, 1], of pixels in 0..255
    scale: Tensor  # float32 [1, 3, 1, 1]; normalised pixels are (pixels - mean) * scale
    order: Tensor  # int64 [C]: the teacher's row for each class of the data set

    @torch.no_grad()
    def logits(self, pixels: Tensor) -> Tensor:
        """Its logits float32 [n, C] for frames float32 [n, 3, H, W] in 0..255, in the data set's order."""
        normalised = (resize_pixels(pixels, self.size) - self.mean) * self.scale
        return self.network(normalised.contiguous(memory_format=torch.channels_last))[:, self.order]


def open_teacher(path: Path, class_names: Sequence[str], device: torch.device, precision: str) -> Teacher:
    """Read a checkpoint as the teacher of `class_names`; it multiplies in bf16 if `precision` is "bf16".

    Raises InputError if it cannot be read, is no classifier's, or if its classes are not the same names in some order.
    """
    checkpoint = load_checkpoint(path)
    require_classifier(path, checkpoint.network)
    theirs = {name: row for row, name in enumerate(checkpoint.class_names)}
    lacking = [name for name in class_names if name not in theirs]
    beyond = [name for name in theirs if name not in set(class_names)]
    if lacking or beyond:
        differences = [
            f"{what} {', '.join(names[:NAMES_SHOWN])}{' ...' if len(names) > NAMES_SHOWN else ''}"
            for what, names in (("it does not know", lacking), ("it also knows", beyond))
            if names
        ]
        raise InputError(
            f"teacher {path}: its classes are not those of the data set ({'; '.join(differences)}); train a teacher on"
            " this data set"
        )
    network = fold(checkpoint.build())
    network = InBFloat16(network) if precision == "bf16" else network
    mean, scale = (torch.from_numpy(v).reshape(1, 3, 1, 1).to(device) for v in checkpoint.preprocessing.normalization())
    return Teacher(
        network=network.to(device).eval().requires_grad_(False),
        size=(checkpoint.preprocessing.height, checkpoint.preprocessing.width),
        mean=mean,
        scale=scale,
        order=torch.tensor([theirs[name] for name in class_names], device=device),
    )


def distillation_loss(outputs: Tensor, taught: Tensor, temperature: float) -> Tensor:
    """The student's distance from the teacher, float32 []: both are logits [n, C], softened by `temperature`.

    The factor temperature**2 keeps the gradients as large as those of the cross-entropy (Hinton et al., section 2).
    """
    student, teacher = (F.log_softmax(logits.float() / temperature, dim=1) for logits in (outputs, taught))
    return F.kl_div(student, teacher, reduction="batchmean", log_target=True) * temperature**2

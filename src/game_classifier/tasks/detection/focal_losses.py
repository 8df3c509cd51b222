"""The losses of PicoDet's outputs: of class scores, and of the distributions of sides."""

import torch
from torch import Tensor
from torch.nn import functional as F

NOTHING, GAMMA = 0.75, 2.0  # a score that should be 0 weighs NOTHING * score ** GAMMA


def varifocal_loss(logits: Tensor, quality: Tensor) -> Tensor:
    """Varifocal loss of each score, of the shape of `logits`; `quality` is the IoU that it should be, or 0 for nothing.

    Source: Zhang et al., "VarifocalNet", 2021, equation 2. Good boxes weigh more, and so do nothings that score high.
    """
    weight = torch.where(quality > 0, quality, NOTHING * logits.sigmoid() ** GAMMA)
    return weight * F.binary_cross_entropy_with_logits(logits, quality, reduction="none")


def distribution_loss(logits: Tensor, distance: Tensor) -> Tensor:
    """Distribution focal loss, float [...]: logits [..., B] of the distances 0 to B - 1 where `distance` [...] is true.

    Source: Li et al., "Generalized Focal Loss", 2020, equation 6: the cross-entropy with the two whole distances on
    both sides of the true one, weighted by how near they are.
    """
    bins = torch.arange(logits.shape[-1], device=logits.device)
    weights = (1 - (distance[..., None] - bins).abs()).clamp(min=0)
    return -(weights * logits.log_softmax(-1)).sum(-1)

"""From the training form of a network to the plain one that is deployed."""

import copy

import torch
from timm.utils.model import reparameterize_model
from torch import Tensor, nn

from game_classifier.models.known import KnownHead


def fold(network: nn.Module) -> nn.Module:
    """Return a float32 copy in evaluation mode, with fewer layers that compute the same.

    The branches of each RepVGG block become one convolution. In YOLOv5, RepYOLO and ESNet, BatchNorm goes into its
    convolution too, and models/rewrites.py replaces Focus and parallel max-pools with equal plain layers. timm's other
    layers stay unchanged, unless they can fold themselves.

    Folding is done in float64: in float32 it errs by 1e-5 at logits of 20, in float64 by 2e-14. A network
    without such layers is only copied. Convolutions keep their weights in
    channels_last, in which CPUs run them faster. Source: Ding et al., "RepVGG", 2021, section 3.3.
    """
    return fold_float64(network).float().to(memory_format=torch.channels_last)


def fold_float64(network: nn.Module) -> nn.Module:
    """`fold` before its rounding to float32."""
    # A module folds itself by its method `reparameterize` or `fuse`, which timm calls; eval() must come before.
    return reparameterize_model(copy.deepcopy(network).double().eval(), inplace=True)


class InBFloat16(nn.Module):
    """A network that multiplies in bfloat16: float32 [N, 3, H, W] -> its outputs in float32."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = copy.deepcopy(network).to(torch.bfloat16)
        if hasattr(network, "decoder"):  # a detector's: its boxes are not rounded
            self.decoder = network.decoder
        for ours, theirs in zip(self.network.modules(), network.modules(), strict=True):
            if isinstance(ours, KnownHead):  # a distance of many squares has nothing left in 8 bits
                ours.float().load_state_dict(theirs.state_dict())

    def forward(self, pixels: Tensor) -> Tensor | list[Tensor]:
        """Round the pixels, and give outputs that a softmax or a decoder can take."""
        outputs = self.network(pixels.to(torch.bfloat16))
        return [each.float() for each in outputs] if isinstance(outputs, list) else outputs.float()

"""From the training form of a network to the plain one that is deployed."""

import copy

import torch
from timm.utils.model import reparameterize_model
from torch import Tensor, nn
from torch.nn import functional as F

from game_classifier.data.frames import Preprocessing, resize_frames


def fold(network: nn.Module) -> nn.Module:
    """Return a float32 copy in evaluation mode with the branches of each RepVGG block folded into one convolution.

    Folding is done in float64: in float32 it errs by 1e-5 at logits of 20, in float64 by 2e-14. A network
    without such blocks is only copied. Convolutions keep their weights in
    channels_last, in which CPUs run them faster. Source: Ding et al., "RepVGG", 2021, section 3.3.
    """
    return fold_float64(network).float().to(memory_format=torch.channels_last)


def fold_float64(network: nn.Module) -> nn.Module:
    """`fold` before its rounding to float32."""
    # timm's copy of a copy costs nothing beside training, and eval() must come before folding.
    return reparameterize_model(copy.deepcopy(network).double().eval())


class FrameClassifier(nn.Module):
    """uint8 RGB frames [N, H, W, 3] of any size -> float32 probabilities [N, C]: what is deployed.

    Resizing and normalising are inside, so a caller in any language hands over the frame as it is.
    Validation, batch prediction and the deploy file all run this module.
    """

    def __init__(self, network: nn.Module, preprocessing: Preprocessing) -> None:
        super().__init__()
        self.network = network
        self.height = preprocessing.height
        self.width = preprocessing.width
        self.resize = preprocessing.resize
        # Scaled to 0..255, so that normalising is one subtraction and one product.
        mean = torch.tensor(preprocessing.mean, dtype=torch.float64).reshape(1, 3, 1, 1) * 255
        std = torch.tensor(preprocessing.std, dtype=torch.float64).reshape(1, 3, 1, 1) * 255
        self.register_buffer("mean", mean.float(), persistent=False)
        self.register_buffer("scale", (1 / std).float(), persistent=False)

    def forward(self, frames: Tensor) -> Tensor:
        """Classify frames; H and W may differ between calls, not within one."""
        return F.softmax(self.network(self.pixels(frames)).float(), dim=1)

    def pixels(self, frames: Tensor) -> Tensor:
        """The network's input: float32 [N, 3, height, width], resized and normalised."""
        frames = resize_frames(frames.permute(0, 3, 1, 2), self.height, self.width, self.resize)
        return ((frames.float() - self.mean) * self.scale).contiguous(memory_format=torch.channels_last)

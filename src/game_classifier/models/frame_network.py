"""The network as it is deployed: frames in, answers out."""

import numpy as np
import torch
from torch import Tensor, nn

from game_classifier.frames.decode import Preprocessing, resize_frames


def answering(network: nn.Module) -> nn.Module:
    """The network with the layer that turns its outputs into answers.

    That is softmax for logits, and for a detector its `decoder`, whose answers are boxes and scores.
    """
    decoder = getattr(network, "decoder", None)
    last = decoder() if decoder else nn.Softmax(dim=1)
    return nn.Sequential(network, last).eval()


def to_arrays(answers: Tensor | tuple[Tensor, ...]) -> np.ndarray | tuple[np.ndarray, ...]:
    """The answers of a `FrameNetwork` as arrays: one, or a detector's boxes and scores."""
    if isinstance(answers, tuple):
        return tuple(each.cpu().numpy() for each in answers)
    return answers.cpu().numpy()


class FrameNetwork(nn.Module):
    """The deployed module: uint8 RGB frames [N, H, W, 3] of any size -> answers float32 [N, ...], one or several.

    Resizing and normalising are inside, so a caller in any language passes the frame unchanged.
    Validation, batch prediction and the deployed file all run this module. `network` is one of `answering`.
    """

    def __init__(self, network: nn.Module, preprocessing: Preprocessing) -> None:
        super().__init__()
        self.network = network
        self.height = preprocessing.height
        self.width = preprocessing.width
        self.resize = preprocessing.resize
        for name, values in zip(("mean", "scale"), preprocessing.normalization(), strict=True):
            self.register_buffer(name, torch.from_numpy(values).reshape(1, 3, 1, 1), persistent=False)

    def forward(self, frames: Tensor) -> Tensor:
        """Answer for each frame; H and W may differ between calls, not within one."""
        return self.network(self.pixels(frames))

    def pixels(self, frames: Tensor) -> Tensor:
        """The network's input: float32 [N, 3, height, width], resized and normalised."""
        frames = resize_frames(frames.permute(0, 3, 1, 2), self.height, self.width, self.resize)
        return ((frames.float() - self.mean) * self.scale).contiguous(memory_format=torch.channels_last)

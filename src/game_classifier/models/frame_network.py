"""The network as it is deployed: frames in, answers out."""

import numpy as np
import torch
from torch import Tensor, nn

from game_classifier.frames.decode import Preprocessing, resize_frames, resized_size
from game_classifier.models.known import gives_known


def answering(network: nn.Module) -> nn.Module:
    """The network with the layer that turns its outputs into answers.

    That is softmax for logits, whose answers are class probabilities float32 [N, C]; a network that gives the `known`
    score too answers with [N, C + 1], the score in the last column. For a detector it is its `decoder`, whose answers
    are boxes and scores.
    """
    decoder = getattr(network, "decoder", None)
    softmax = SoftmaxBesideKnown() if gives_known(network) else nn.Softmax(dim=1)
    return nn.Sequential(network, decoder() if decoder else softmax).eval()


class SoftmaxBesideKnown(nn.Module):
    """Logits and `known` [N, C + 1] -> probabilities and the same `known`."""

    def forward(self, outputs: Tensor) -> Tensor:
        """Softmax over all columns but the last."""
        return torch.cat([torch.softmax(outputs[:, :-1], dim=1), outputs[:, -1:]], dim=1)


def gives_boxes(network: nn.Module) -> bool:
    """Whether a network of `answering` answers with boxes and scores."""
    return isinstance(network, nn.Sequential) and hasattr(network[0], "decoder")


def with_outputs(network: nn.Module) -> nn.Module:
    """A network of `answering` with the outputs of a deployed file: `known`, if there is one, is a second one."""
    return Split(network) if gives_known(network) else network


def output_names(network: nn.Module) -> tuple[str, ...]:
    """The names of the outputs of `with_outputs` in deployed files."""
    if gives_boxes(network):
        return "boxes", "scores"
    return ("probabilities", "known") if gives_known(network) else ("probabilities",)


class Split(nn.Module):
    """Gives the answers of a network as (probabilities [N, C], known [N])."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """Cut off the last column."""
        answers = self.network(pixels)
        return answers[:, :-1], answers[:, -1]


def to_arrays(answers: Tensor | tuple[Tensor, ...]) -> np.ndarray | tuple[np.ndarray, ...]:
    """The answers of a `FrameNetwork` as arrays: one, or a detector's boxes and scores."""
    if isinstance(answers, tuple):
        return tuple(each.cpu().numpy() for each in answers)
    return answers.cpu().numpy()


def frame_network(network: nn.Module, preprocessing: Preprocessing) -> "FrameNetwork":
    """The deployed module of a network of `answering`."""
    return (BoxFrameNetwork if gives_boxes(network) else FrameNetwork)(network, preprocessing)


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

    def infer(self, frames: np.ndarray) -> np.ndarray | tuple[np.ndarray, ...]:
        """The same for arrays, on the module's device."""
        with torch.inference_mode():
            return to_arrays(self(torch.from_numpy(frames).to(self.mean.device)))


class BoxFrameNetwork(FrameNetwork):
    """The same of a detector: boxes are x1 y1 x2 y2 in pixels of the frames that came in, and may reach beyond them.

    Non-maximum suppression stays outside: its result has no fixed shape; docs/conversion.md has all reasons.
    """

    def forward(self, frames: Tensor) -> tuple[Tensor, Tensor]:
        """(Boxes float32 [N, M, 4], scores float32 [N, M, C])."""
        boxes, scores = self.network(self.pixels(frames))
        return undo_resize(boxes, frames.shape[1], frames.shape[2], self.height, self.width, self.resize), scores


def undo_resize(boxes: Tensor, height: int, width: int, to_height: int, to_width: int, resize: str) -> Tensor:
    """Boxes [..., 4] in pixels of a frame to_height x to_width -> pixels of the frame that was resized to it.

    This undoes frames/decode.py, `resize_frames`. Boxes on frames of the right size come back as they are, bit for bit.
    """
    if height == to_height and width == to_width:
        return boxes
    scaled = resized_size(height, width, to_height, to_width, resize)
    left, top = (to_width - scaled[1]) // 2, (to_height - scaled[0]) // 2
    start = torch.tensor([left, top, left, top], dtype=boxes.dtype, device=boxes.device)
    x, y = width / scaled[1], height / scaled[0]
    return (boxes - start) * torch.tensor([x, y, x, y], dtype=boxes.dtype, device=boxes.device)


class KnowingFrameNetwork(nn.Module):
    """The deployed module of a network that gives `known` too: programs that want probabilities alone call it as ever.

    `network` is a FrameNetwork.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, frames: Tensor) -> Tensor:
        """Probabilities float32 [N, C] of frames uint8 [N, H, W, 3]."""
        return self.network(frames)[:, :-1]

    @torch.jit.export
    def answer(self, frames: Tensor) -> tuple[Tensor, Tensor]:
        """(Probabilities float32 [N, C], `known` float32 [N])."""
        answers = self.network(frames)
        return answers[:, :-1], answers[:, -1]

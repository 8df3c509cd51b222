"""Random changes to training frames, made on whole batches on the training device."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from game_classifier.frames import stream_layout


@dataclass(frozen=True)
class Augmentation:
    """How far a training frame may be changed. There is no flip: it would mirror the text of a HUD."""

    zoom: float  # sides scaled by 1 - zoom .. 1 + zoom, each on its own
    shift: float  # moved by up to this share of each side
    brightness: float  # pixels scaled by 1 - brightness .. 1 + brightness
    contrast: float  # differences from the frame's mean scaled by 1 - contrast .. 1 + contrast
    erase: float  # probability of one rectangle of a flat colour, up to 45% of each side
    stream: float  # probability of a stream's layout (stream_layout.py) in place of zoom and shift


def augment(frames: Tensor, size: tuple[int, int], change: Augmentation, generator: torch.Generator) -> Tensor:
    """Return changed frames as float32 [N, 3, *size] in 0..255, from uint8 [N, 3, H, W].

    All randomness comes from `generator`, a CPU one, so that a seed fixes it on every device.
    """

    def uniform(low: float, high: float, *shape: int) -> Tensor:
        return (torch.rand(shape, generator=generator) * (high - low) + low).to(frames.device)

    count = len(frames)
    # A frame's picture covers `share` of each side around `centre`, which is measured in half sides from the middle.
    share = 1 / uniform(1 - change.zoom, 1 + change.zoom, count, 2)
    centre = uniform(-2 * change.shift, 2 * change.shift, count, 2)
    streamed = (uniform(0, 1, count) < change.stream).nonzero().squeeze(1)
    share[streamed], centre[streamed] = stream_layout.picture_places(uniform, len(streamed))

    pixels = recolour(place(frames, size, share, centre), change, uniform)
    if len(streamed):
        dressed = stream_layout.dress(pixels[streamed], share[streamed], centre[streamed], uniform)
        pixels[streamed] = dressed

    height, width = size
    erased = uniform(0, 1, count, 1, 1) < change.erase
    rows, columns = _inside(uniform, height, count), _inside(uniform, width, count)
    rectangle = (rows[:, :, None] & columns[:, None, :] & erased)[:, None]
    return torch.where(rectangle, uniform(0, 255, count, 3, 1, 1), pixels).clamp_(0, 255)


def place(frames: Tensor, size: tuple[int, int], share: Tensor, centre: Tensor) -> Tensor:
    """Frames [N, 3, H, W] -> float32 [N, 3, *size], on which they cover `share` of each side around `centre`.

    Both are float [N, 2] of (x, y); a centre is measured in half sides from the middle. All around is black.
    """
    transform = torch.zeros(len(frames), 2, 3, device=frames.device)
    transform[:, 0, 0], transform[:, 1, 1] = (1 / share).unbind(1)
    transform[:, :, 2] = -centre / share
    grid = F.affine_grid(transform, [len(frames), 3, *size], align_corners=False)
    return F.grid_sample(frames.float(), grid, mode="bilinear", padding_mode="zeros", align_corners=False)


def recolour(pixels: Tensor, change: Augmentation, uniform: stream_layout.Uniform) -> Tensor:
    """Pixels float [N, 3, H, W] with another contrast and brightness for each frame."""
    count = len(pixels)
    mean = pixels.mean((1, 2, 3), keepdim=True)
    contrast = uniform(1 - change.contrast, 1 + change.contrast, count, 1, 1, 1)
    brightness = uniform(1 - change.brightness, 1 + change.brightness, count, 1, 1, 1)
    return ((pixels - mean) * contrast + mean) * brightness


def _inside(uniform: stream_layout.Uniform, side: int, count: int) -> Tensor:
    """Bool [count, side]: a random run of 5% to 45% of `side` within it."""
    length = uniform(0.05, 0.45, count, 1) * side
    start = uniform(0, 1, count, 1) * (side - length)
    position = torch.arange(side, device=start.device)
    return (position >= start) & (position < start + length)

"""Random changes to training frames, made on whole batches on the training device."""

import math
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from game_classifier.frames import stream_layout

# Brightness and the two differences of colours of NTSC television, from red, green and blue.
YIQ = torch.tensor([[0.299, 0.587, 0.114], [0.5959, -0.2746, -0.3213], [0.2115, -0.5227, 0.3112]])


@dataclass(frozen=True)
class Augmentation:
    """How far a training frame may be changed. There is no flip: it would mirror the text of a HUD."""

    zoom: float  # sides scaled by 1 - zoom .. 1 + zoom, each on its own
    shift: float  # moved by up to this share of each side
    brightness: float  # pixels scaled by 1 - brightness .. 1 + brightness
    contrast: float  # differences from the frame's mean scaled by 1 - contrast .. 1 + contrast
    erase: float  # probability of one rectangle of a flat colour, up to 45% of each side
    stream: float  # probability of a stream's layout (stream_layout.py) in place of zoom and shift

    def calm(self) -> "Augmentation":
        """The same with every frame whole and at its place, but for those in a stream's layout."""
        return replace(self, zoom=0.0, shift=0.0, erase=0.0)


IN_A_STREAM = Augmentation(zoom=0, shift=0, brightness=0, contrast=0, erase=0, stream=1)


def in_streams(frames: np.ndarray, generator: torch.Generator) -> np.ndarray:
    """Each of the frames uint8 [n, H, W, 3] in a stream's layout of its own."""
    pixels = torch.from_numpy(frames).permute(0, 3, 1, 2)
    streamed = augment(pixels, frames.shape[1:3], IN_A_STREAM, generator)
    return streamed.round().to(torch.uint8).permute(0, 2, 3, 1).numpy()


def half_in_streams(frames: np.ndarray, generator: torch.Generator) -> np.ndarray:
    """The frames uint8 [n, H, W, 3], every other one in a stream's layout."""
    frames = frames.copy()
    if len(frames) > 1:
        frames[1::2] = in_streams(frames[1::2], generator)
    return frames


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
    """Draw frames [N, 3, H, W] at their places in black ones, float [N, 3, *size], bilinear with antialiasing.

    `share` and `centre`, float [N, 2] of (x, y), are the shares of the sides and the centres in -1..1. Like the resize
    of deployed frames, it averages over all pixels that become one: a sparser sampling would lose the strokes of small
    text. Rows and columns are weighted on their own, so that it is two matrix products.
    """
    columns = _weights(frames.shape[3], size[1], share[:, 0], centre[:, 0])
    rows = _weights(frames.shape[2], size[0], share[:, 1], centre[:, 1])
    return rows[:, None] @ (frames.float() @ columns.transpose(1, 2)[:, None])


def _weights(pixels: int, wanted: int, share: Tensor, centre: Tensor) -> Tensor:
    """Float [N, wanted, pixels]: the part of each pixel along one side of a frame in each pixel that is drawn."""
    drawn = (torch.arange(wanted, device=share.device) + 0.5) * 2 / wanted - 1
    source = ((drawn - centre[:, None]) / share[:, None] + 1) * pixels / 2  # where a drawn pixel's middle comes from
    reach = (pixels / (wanted * share)).clamp(min=1)[:, None, None]  # of the triangle that weights its neighbours
    middles = torch.arange(pixels, device=share.device) + 0.5
    weights = (1 - (source[:, :, None] - middles).abs() / reach).clamp(min=0)
    inside = ((source > 0) & (source < pixels))[:, :, None]
    return weights / weights.sum(2, keepdim=True).clamp(min=1e-6) * inside


def recolour(pixels: Tensor, change: Augmentation, uniform: stream_layout.Uniform) -> Tensor:
    """Pixels float [N, 3, H, W] with another contrast and brightness for each frame."""
    count = len(pixels)
    mean = pixels.mean((1, 2, 3), keepdim=True)
    contrast = uniform(1 - change.contrast, 1 + change.contrast, count, 1, 1, 1)
    brightness = uniform(1 - change.brightness, 1 + change.brightness, count, 1, 1, 1)
    return ((pixels - mean) * contrast + mean) * brightness


def turn_colours(pixels: Tensor, turn: Tensor, factor: Tensor) -> Tensor:
    """Frames float [n, 3, H, W] with hues turned by `turn` [n] of a circle and saturations times `factor` [n].

    Brightness stays: it is the first of the YIQ colours, and the other two are rotated and scaled. torchvision's
    `adjust_hue` and `adjust_saturation` give all frames of a batch the same change.
    """
    angle, zero = 2 * math.pi * turn, torch.zeros_like(turn)
    cosine, sine = factor * angle.cos(), factor * angle.sin()
    rows = (zero + 1, zero, zero), (zero, cosine, -sine), (zero, sine, cosine)
    change = torch.stack([torch.stack(row, -1) for row in rows], -2)  # [n, 3, 3]
    matrix = torch.linalg.inv(YIQ) @ change @ YIQ
    return (matrix.to(pixels.device) @ pixels.flatten(2)).unflatten(2, pixels.shape[2:])


def _inside(uniform: stream_layout.Uniform, side: int, count: int) -> Tensor:
    """Bool [count, side]: a random run of 5% to 45% of `side` within it."""
    length = uniform(0.05, 0.45, count, 1) * side
    start = uniform(0, 1, count, 1) * (side - length)
    position = torch.arange(side, device=start.device)
    return (position >= start) & (position < start + length)

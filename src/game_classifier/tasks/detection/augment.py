"""Random changes to training frames that move their boxes along: mosaic, zoom, shift, flip, colours."""

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from game_classifier.frames.augment import Augmentation, place, recolour, turn_colours
from game_classifier.tasks.detection.geometry import Targets, clipped

LEAST_SEEN = 0.25  # of a box's area: less of an object cannot be told
TILES = 4  # of a mosaic


@dataclass(frozen=True)
class BoxAugmentation:
    """How far frames with boxes may be changed."""

    plain: Augmentation  # its zoom, shift, brightness and contrast are used
    mosaic: float  # probability of a part of four frames in place of zoom and shift
    flip: float  # probability of a mirrored frame
    hue: float = 0.0  # colours turned by up to this share of the circle
    saturation: float = 0.0  # colourfulness scaled by 1 - saturation .. 1 + saturation

    def calm(self) -> "BoxAugmentation":
        """The same with every frame whole, alone and at its place."""
        return replace(self, plain=self.plain.calm(), mosaic=0.0)


def augment_boxes(
    frames: Tensor, targets: Targets, size: tuple[int, int], change: BoxAugmentation, generator: torch.Generator
) -> tuple[Tensor, Targets]:
    """Changed frames float32 [n, 3, *size] in 0..255 of `frames` uint8 [n, 3, H, W], and their boxes.

    All randomness comes from `generator`, a CPU one. `targets` are on the CPU, those returned too.
    """

    def uniform(low: float, high: float, *shape: int) -> Tensor:
        return torch.rand(shape, generator=generator) * (high - low) + low

    count = len(frames)
    zoom, shift = change.plain.zoom, change.plain.shift
    share = 1 / uniform(1 - zoom, 1 + zoom, count, 2)
    centre = uniform(-2 * shift, 2 * shift, count, 2)
    # A mosaic covers the frame and up to twice its sides: its frames come at half their size up to all of it.
    wide = uniform(1, 2, count, 1).expand(-1, 2)
    corner = uniform(-1, 1, count, 2) * (wide - 1)
    partners = torch.randint(count, (count, TILES - 1), generator=generator)
    in_mosaic = uniform(0, 1, count) < change.mosaic
    share, centre = (torch.where(in_mosaic[:, None], one, other) for one, other in ((wide, share), (corner, centre)))
    alone, joined = (~in_mosaic).nonzero().squeeze(1), in_mosaic.nonzero().squeeze(1)
    tiles = torch.cat([joined[:, None], partners[joined]], 1)

    pixels = torch.zeros(count, 3, *size, device=frames.device)
    for rows, canvas in ((alone, frames[alone]), (joined, join_frames(frames, tiles))):
        if len(rows):
            pixels[rows] = place(canvas, size, share[rows].to(frames.device), centre[rows].to(frames.device))
    targets = _concatenated(targets[~in_mosaic[targets.frame]], join_boxes(targets, joined, tiles))
    moved = (centre[targets.frame].repeat(1, 2) + share[targets.frame].repeat(1, 2) * (2 * targets.box - 1) + 1) / 2
    targets = clipped(Targets(targets.frame, targets.label, moved), LEAST_SEEN)

    flipped = uniform(0, 1, count) < change.flip
    pixels = torch.where(flipped.to(frames.device)[:, None, None, None], pixels.flip(3), pixels)
    mirrored = torch.stack([1 - targets.box[:, 2], targets.box[:, 1], 1 - targets.box[:, 0], targets.box[:, 3]], 1)
    box = torch.where(flipped[targets.frame][:, None], mirrored, targets.box)

    pixels = recolour(pixels, change.plain, lambda *numbers: uniform(*numbers).to(frames.device))
    if change.hue or change.saturation:
        turn = uniform(-change.hue, change.hue, count)
        factor = uniform(1 - change.saturation, 1 + change.saturation, count)
        pixels = turn_colours(pixels, turn, factor)
    return pixels.clamp_(0, 255), Targets(targets.frame, targets.label, box)


def join_frames(frames: Tensor, tiles: Tensor) -> Tensor:
    """Four frames as one of twice the sides, row by row: [n, 3, H, W] and numbers int [m, 4] -> [m, 3, 2H, 2W]."""
    rows = [torch.cat([frames[tiles[:, one]], frames[tiles[:, one + 1]]], 3) for one in (0, 2)]
    return torch.cat(rows, 2)


def join_boxes(targets: Targets, joined: Tensor, tiles: Tensor) -> Targets:
    """The boxes of `join_frames`, as shares of the larger frame; `joined` int [m] are the frames that they become."""
    parts = []
    for tile in range(TILES):
        mosaic, source = (tiles[:, tile, None] == targets.frame).nonzero(as_tuple=True)
        offset = torch.tensor([tile % 2, tile // 2] * 2) / 2
        parts.append(Targets(joined[mosaic], targets.label[source], targets.box[source] / 2 + offset))
    return _concatenated(*parts)


def _concatenated(*parts: Targets) -> Targets:
    return Targets(*(torch.cat(each) for each in zip(*((p.frame, p.label, p.box) for p in parts), strict=True)))

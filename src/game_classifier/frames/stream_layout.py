"""Plain game frames as a live stream shows them: a smaller picture on a background, under webcam, chat and banner.

A network trained on plain frames alone takes a webcam for a part of the game. The layouts drawn here are wider
than real ones, so that those lie inside.
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

# uniform(low, high, *shape): random numbers on the training device
Uniform = Callable[..., Tensor]

# Shares of the stream's sides.
PICTURE_WIDTH = (0.5, 1.0)  # a 4:3 game on a 16:9 stream takes 0.75 of its width, and less beside a chat
PICTURE_HEIGHT = (0.7, 1.0)
WEBCAM_WIDTH = (0.12, 0.32)
WEBCAM_HEIGHT = (0.16, 0.42)
BANNER_HEIGHT = (0.03, 0.1)
CHAT_WIDTH = (0.12, 0.28)
# Probabilities.
WEBCAM, BANNER, CHAT = 0.6, 0.4, 0.5
BLACK, BLURRED = 0.35, 0.35  # backgrounds; the others have one colour
AT_THE_EDGE = 2.0  # a place drawn from -2..2 and cut to -1..1 lies at an edge half of the time


def picture_places(uniform: Uniform, count: int) -> tuple[Tensor, Tensor]:
    """The place of the game's picture: its shares of the sides and its centre in -1..1, float [count, 2] of (x, y)."""
    share = torch.stack([uniform(*PICTURE_WIDTH, count), uniform(*PICTURE_HEIGHT, count)], 1)
    return share, (1 - share) * uniform(-AT_THE_EDGE, AT_THE_EDGE, count, 2).clamp(-1, 1)


def dress(pixels: Tensor, share: Tensor, centre: Tensor, uniform: Uniform) -> Tensor:
    """Lay background, chat, webcam and banner around and over the pictures at `share` and `centre`.

    Float [N, 3, H, W] in 0..255 in and out; outside of its picture a frame holds nothing yet.
    """
    count, _, height, width = pixels.shape
    inside = _box(height, width, share, centre)
    pixels = torch.where(inside, pixels, _background(pixels, uniform))

    side = uniform(-1, 1, count).sign()  # the chat is on the left or on the right
    chat_share = torch.stack([uniform(*CHAT_WIDTH, count), uniform(0.3, 0.9, count)], 1)
    chat = _box(height, width, chat_share, _at(side, uniform(-1, 1, count), chat_share))
    chat = chat & _letters(height, width, uniform, count) & _happens(uniform, CHAT, count)
    pixels = torch.where(
        chat, pixels.lerp(uniform(150, 255, count, 3, 1, 1), uniform(0.3, 0.9, count, 1, 1, 1)), pixels
    )

    corner = uniform(-AT_THE_EDGE, AT_THE_EDGE, count, 2).clamp(-1, 1)
    webcam_share = torch.stack([uniform(*WEBCAM_WIDTH, count), uniform(*WEBCAM_HEIGHT, count)], 1)
    webcam = _box(height, width, webcam_share, _at(corner[:, 0], corner[:, 1], webcam_share))
    room = F.interpolate(uniform(0, 255, count, 3, 7, 9), (height, width), mode="bilinear", align_corners=False)
    pixels = torch.where(webcam & _happens(uniform, WEBCAM, count), room, pixels)

    banner_share = torch.stack([torch.ones(count, device=pixels.device), uniform(*BANNER_HEIGHT, count)], 1)
    edge = uniform(-1, 1, count).sign()
    banner = _box(height, width, banner_share, _at(torch.zeros_like(edge), edge, banner_share))
    return torch.where(banner & _happens(uniform, BANNER, count), uniform(0, 255, count, 3, 1, 1), pixels)


def _background(pixels: Tensor, uniform: Uniform) -> Tensor:
    """Black, one colour, or the game itself blurred; float [N, 3, H, W]."""
    count = len(pixels)
    blurred = F.interpolate(F.adaptive_avg_pool2d(pixels, 6), pixels.shape[2:], mode="bilinear", align_corners=False)
    kind = uniform(0, 1, count, 1, 1, 1)
    colour = uniform(0, 160, count, 3, 1, 1) * (kind >= BLACK)
    return torch.where((kind >= BLACK) & (kind < BLACK + BLURRED), blurred * uniform(0.6, 1.6, count, 1, 1, 1), colour)


def _at(x: Tensor, y: Tensor, share: Tensor) -> Tensor:
    """The centre, float [N, 2], of boxes of `share` at places in -1..1; at -1 and 1 they touch the edges."""
    return torch.stack([x, y], 1) * (1 - share)


def _box(height: int, width: int, share: Tensor, centre: Tensor) -> Tensor:
    """Bool [N, 1, H, W]: inside the boxes with these shares of the sides and centres, both float [N, 2] of (x, y)."""
    along = []
    for axis, side in ((0, width), (1, height)):
        position = (torch.arange(side, device=share.device) + 0.5) * 2 / side - 1
        along.append((position - centre[:, axis, None]).abs() <= share[:, axis, None])
    columns, rows = along
    return (rows[:, :, None] & columns[:, None, :])[:, None]


def _letters(height: int, width: int, uniform: Uniform, count: int) -> Tensor:
    """Bool [N, 1, H, W]: lines of dashes, as text looks in a small frame."""
    lines = uniform(0, 1, count, 1, -(-height // 5), -(-width // 2)) < 0.6
    lines = lines.repeat_interleave(5, 2).repeat_interleave(2, 3)[:, :, :height, :width]
    between = torch.arange(height, device=lines.device) % 5 < 2
    return lines & between[None, None, :, None]


def _happens(uniform: Uniform, probability: float, count: int) -> Tensor:
    return uniform(0, 1, count, 1, 1, 1) < probability

"""Frames that show none of the known games, made up: what a network learns to refuse when it has no real ones.

Half of the kinds spoil frames of known games, so that their pieces and colours stay but the game goes. The others are
drawn from nothing: pages, windows, boards, scenes of shapes, corridors, noise. None looks like a real stream; together
they lie around the known games on many sides. Training against outliers: Hendrycks et al., "Deep Anomaly Detection with
Outlier Exposure", 2019. Shapes and noise as pictures of nothing: Baradad et al., "Learning to See by Looking at Noise",
2021.
"""

import string
from collections.abc import Callable
from itertools import pairwise

import numpy as np
from PIL import Image, ImageDraw, ImageFont

FINER = 2  # pictures are drawn this many times as large and then averaged, as a decoder would
FEWEST_LEAVES, MOST_LEAVES = 8, 250

Random = np.random.Generator
Make = Callable[[np.ndarray, Random], np.ndarray]  # games uint8 [n, H, W, 3] -> a frame [H, W, 3] in 0..255


def make_outliers(games: np.ndarray, count: int, random: Random) -> np.ndarray:
    """`count` made-up frames uint8 [count, H, W, 3], each kind equally often, of frames of games uint8 [n, H, W, 3]."""
    made = np.empty((count, *games.shape[1:]), np.uint8)
    for place in range(count):
        made[place] = np.clip(KINDS[place % len(KINDS)](games, random), 0, 255).round()
    return made


def _mosaic(games: np.ndarray, random: Random) -> np.ndarray:
    """Pieces of many games side by side, each from its own place or from another one."""
    height, width = games.shape[1:3]
    frame = np.empty(games.shape[1:], np.uint8)
    rows, columns = _cuts(height, random), _cuts(width, random)
    for top, bottom in pairwise(rows):
        for left, right in pairwise(columns):
            other = _any(games, random)
            y, x = random.integers(height - (bottom - top) + 1), random.integers(width - (right - left) + 1)
            frame[top:bottom, left:right] = other[y : y + bottom - top, x : x + right - left]
    return frame


def _cuts(side: int, random: Random) -> np.ndarray:
    """Where to cut a side into 2 to 8 pieces, both ends included."""
    return np.linspace(0, side, random.integers(3, 10)).round().astype(int)


def _shuffled(games: np.ndarray, random: Random) -> np.ndarray:
    """The blocks of one game in another order."""
    frame = _any(games, random)
    height, width = frame.shape[:2]
    number = int(random.integers(2, 9))
    high, wide = height // number, width // number
    blocks = frame[: high * number, : wide * number].reshape(number, high, number, wide, 3).swapaxes(1, 2)
    blocks = random.permutation(blocks.reshape(-1, high, wide, 3)).reshape(number, number, high, wide, 3)
    shuffled = blocks.swapaxes(1, 2).reshape(high * number, wide * number, 3)
    return np.pad(shuffled, ((0, height - high * number), (0, width - wide * number), (0, 0)), "edge")


def _recoloured(games: np.ndarray, random: Random) -> np.ndarray:
    """A game in other colours: each level of each channel gets a new one, and the channels are mixed."""
    frame = _any(games, random) / 255.0
    mixed = frame @ random.dirichlet(np.full(3, 0.5), 3).T
    levels = np.linspace(0, 1, random.integers(3, 8))
    curves = random.random((3, len(levels)))
    return 255 * np.stack([np.interp(mixed[:, :, channel], levels, curves[channel]) for channel in range(3)], 2)


def _turned(games: np.ndarray, random: Random) -> np.ndarray:
    """A game on its head or on its side."""
    frame = _any(games, random)
    if random.random() < 0.5:
        return frame[::-1]
    rows = np.linspace(0, frame.shape[1] - 1, frame.shape[0]).round().astype(int)
    columns = np.linspace(0, frame.shape[0] - 1, frame.shape[1]).round().astype(int)
    return frame.swapaxes(0, 1)[rows][:, columns]


def _close_up(games: np.ndarray, random: Random) -> np.ndarray:
    """A small part of a game, as large as the frame."""
    height, width = games.shape[1:3]
    share = random.uniform(0.1, 0.35, 2)
    high, wide = max(2, int(height * share[0])), max(2, int(width * share[1]))
    y, x = random.integers(height - high + 1), random.integers(width - wide + 1)
    part = Image.fromarray(_any(games, random)[y : y + high, x : x + wide])
    return np.asarray(part.resize((width, height), Image.Resampling.BILINEAR))


def _blend(games: np.ndarray, random: Random) -> np.ndarray:
    """Two games over each other."""
    share = random.uniform(0.35, 0.65)
    return share * _any(games, random) + (1 - share) * _any(games, random)


def _leaves(games: np.ndarray, random: Random) -> np.ndarray:
    """Shapes of one palette over each other, large and small."""
    image, draw = _canvas(games, random)
    palette = _palette(random)
    smallest = random.uniform(0.02, 0.1)
    for _ in range(random.integers(FEWEST_LEAVES, MOST_LEAVES)):
        size = smallest / (1 - random.random() * 0.95) * min(image.size) / 2  # large ones are rare
        x, y = random.random(2) * image.size
        high, wide = size * random.uniform(0.4, 1.6, 2)
        box = (x - wide, y - high, x + wide, y + high)
        shape = random.integers(4)
        if shape == 0:
            draw.rectangle(box, fill=_one(palette, random))
        elif shape == 1:
            draw.ellipse(box, fill=_one(palette, random))
        elif shape == 2:
            angles = np.sort(random.uniform(0, 2 * np.pi, random.integers(3, 7)))
            points = np.stack([x + wide * np.cos(angles), y + high * np.sin(angles)], 1)
            draw.polygon([tuple(point) for point in points], fill=_one(palette, random))
        else:
            draw.line(box, fill=_one(palette, random), width=int(1 + size / 6))
    frame = _finished(image)
    return frame * _cloud(frame.shape, random)[:, :, :1] / 160 if random.random() < 0.3 else frame


def _page(games: np.ndarray, random: Random) -> np.ndarray:
    """Lines of text in one or several windows, as a desktop, a page or a chat shows them."""
    image, draw = _canvas(games, random)
    palette = _palette(random)
    for number in range(random.integers(1, 6)):
        share = random.uniform(0.8, 1, 2) if number == 0 and random.random() < 0.5 else random.uniform(0.2, 0.7, 2)
        wide, high = (share * image.size).astype(int)
        left, top = (random.random(2) * (np.array(image.size) - (wide, high))).astype(int)
        paper = (random.choice([255, 245, 30, 15]),) * 3 if random.random() < 0.7 else _one(palette, random)
        ink = tuple(255 - level for level in paper) if random.random() < 0.6 else _one(palette, random)
        draw.rectangle((left, top, left + wide, top + high), fill=paper, outline=_one(palette, random))
        size = int(random.uniform(0.02, 0.09) * image.height) + 4
        if random.random() < 0.6:
            draw.rectangle((left, top, left + wide, top + size), fill=_one(palette, random))
        font = _font(size)
        for line in range(top + size + 2, top + high - size, int(size * random.uniform(1.1, 1.6)) + 1):
            if random.random() < 0.85:
                letters = int(random.uniform(0.2, 1) * wide / (size * 0.55))
                draw.text((left + size // 3, line), _words(letters, random), fill=ink, font=font)
    return _finished(image)


def _board(games: np.ndarray, random: Random) -> np.ndarray:
    """A board or a map of tiles with figures, scores and walls: a game that nobody knows."""
    height, width = games.shape[1:3]
    palette = np.array(_palette(random))
    rows, columns = random.integers(4, 21, 2)
    kinds = random.integers(2, 7)
    if random.random() < 0.5:  # patterned tiles
        side = int(random.integers(4, 9))
        patterns = palette[random.integers(len(palette), size=(kinds, side, side))]
        plain = random.random(kinds) < 0.6
        patterns[plain] = patterns[plain][:, :1, :1]
    else:
        patterns = palette[random.integers(len(palette), size=(kinds, 1, 1))]
    tiles = random.choice(kinds, (rows, columns), p=random.dirichlet(np.full(kinds, 0.6)))
    if random.random() < 0.4:  # floors and walls run on
        tiles = np.where(random.random((rows, 1)) < 0.4, tiles[:, :1], tiles)
    image = Image.fromarray(np.concatenate(np.concatenate(patterns[tiles], 1), 1).astype(np.uint8))
    image = image.resize((width * FINER, height * FINER), Image.Resampling.NEAREST)
    draw = ImageDraw.Draw(image)
    if random.random() < 0.4:
        _draw_grid(draw, image.size, (rows, columns), _one(palette, random))
    for _ in range(random.integers(0, 25)):
        _draw_figure(image, palette, random)
    if random.random() < 0.6:
        size = int(random.uniform(0.04, 0.12) * image.height) + 4
        edge = 0 if random.random() < 0.7 else image.height - size - 4
        draw.rectangle((0, edge, image.width, edge + size + 4), fill=_one(palette, random))
        draw.text((random.integers(image.width // 2), edge), _words(12, random), _one(palette, random), _font(size))
    return _finished(image)


def _draw_grid(draw: ImageDraw.ImageDraw, size: tuple[int, int], cells: tuple[int, int], colour: tuple) -> None:
    for y in np.linspace(0, size[1], cells[0] + 1):
        draw.line((0, y, size[0], y), fill=colour)
    for x in np.linspace(0, size[0], cells[1] + 1):
        draw.line((x, 0, x, size[1]), fill=colour)


def _draw_figure(image: Image.Image, palette: np.ndarray, random: Random) -> None:
    """A figure of few pixels, the same on the left and on the right."""
    half = random.random((int(random.integers(4, 12)), int(random.integers(2, 6)))) < 0.55
    mask = np.concatenate([half, half[:, ::-1]], 1)
    colours = palette[random.integers(len(palette), size=2)]
    pixels = colours[random.integers(2, size=(len(mask), 1)).repeat(mask.shape[1], 1)].astype(np.uint8)
    scale = random.uniform(0.03, 0.2) * image.height / len(mask)
    size = (max(1, int(mask.shape[1] * scale)), max(1, int(len(mask) * scale)))
    figure = Image.fromarray(pixels).resize(size, Image.Resampling.NEAREST)
    shown = Image.fromarray(mask.astype(np.uint8) * 255).resize(size, Image.Resampling.NEAREST)
    image.paste(figure, (int(random.integers(image.width)), int(random.integers(image.height))), shown)


def _corridor(games: np.ndarray, random: Random) -> np.ndarray:
    """Floor, ceiling or sky, and walls that get darker with their distance, as in a game in three dimensions."""
    height, width = games.shape[1:3]
    palette = np.array(_palette(random), float)
    count = int(random.integers(3, 9))
    far = np.interp(np.arange(width), np.linspace(0, width, count), random.uniform(0.1, 0.9, count))
    horizon = random.uniform(0.35, 0.65) * height
    y = np.arange(height)[:, None]
    distance = np.abs(y - horizon) / (height / 2)
    ground = np.where((y > horizon)[:, :, None], palette[0], palette[1]) * (0.3 + 0.7 * distance[:, :, None])
    wall = distance < far[None, :]
    texture = _cloud((height, width, 3), random) / 128 if random.random() < 0.6 else np.ones((height, width, 3))
    walls = palette[2] * texture * (0.25 + 0.75 * far[None, :, None])
    frame = np.where(wall[:, :, None], walls, np.broadcast_to(ground, (height, width, 3)) * texture[::-1])
    image = Image.fromarray(np.clip(frame, 0, 255).astype(np.uint8))
    for _ in range(random.integers(0, 6)):
        _draw_figure(image, palette, random)
    return np.asarray(image)


def _clouds(games: np.ndarray, random: Random) -> np.ndarray:
    """Noise, from fine to coarse."""
    return _cloud(games.shape[1:], random)


def _gradient(games: np.ndarray, random: Random) -> np.ndarray:
    """One colour that becomes another, along a line or around a point; or one colour alone."""
    height, width = games.shape[1:3]
    y, x = np.linspace(0, 1, height)[:, None], np.linspace(0, 1, width)[None, :]
    angle, middle = random.uniform(0, 2 * np.pi), random.random(2)
    along = x * np.cos(angle) + y * np.sin(angle) if random.random() < 0.6 else np.hypot(x - middle[0], y - middle[1])
    along = (along - along.min()) / (along.max() - along.min())
    one, other = random.uniform(0, 255, (2, 3))
    frame = one + (other - one) * along[:, :, None] * (random.random() < 0.8)
    return frame + random.normal(0, random.choice([0, 0, 3, 12]), frame.shape)


KINDS: tuple[Make, ...] = (
    _mosaic,
    _leaves,
    _shuffled,
    _page,
    _recoloured,
    _board,
    _turned,
    _corridor,
    _close_up,
    _clouds,
    _blend,
    _gradient,
)


def _any(games: np.ndarray, random: Random) -> np.ndarray:
    return games[random.integers(len(games))]


def _canvas(games: np.ndarray, random: Random) -> tuple[Image.Image, ImageDraw.ImageDraw]:
    height, width = games.shape[1:3]
    image = Image.new("RGB", (width * FINER, height * FINER), _one(_palette(random), random))
    return image, ImageDraw.Draw(image)


def _finished(image: Image.Image) -> np.ndarray:
    return np.asarray(image.reduce(FINER), np.float32)


def _palette(random: Random) -> list[tuple[int, int, int]]:
    """Some colours; those of one palette are alike in how bright or pale they are."""
    low, high = np.sort(random.uniform(0, 256, 2))
    return [tuple(int(level) for level in random.uniform(low, high + 1, 3)) for _ in range(random.integers(3, 9))]


def _one(palette: list[tuple[int, int, int]] | np.ndarray, random: Random) -> tuple[int, int, int]:
    return tuple(int(level) for level in palette[random.integers(len(palette))])


def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)


def _words(letters: int, random: Random) -> str:
    return "".join(random.choice(list(string.ascii_letters + string.digits + "     "), max(1, letters)))


def _cloud(shape: tuple[int, ...], random: Random) -> np.ndarray:
    """Noise float [H, W, 3] around 128 whose power falls with the frequency, as in photographs."""
    height, width = shape[:2]
    frequency = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None, :])
    frequency[0, 0] = 1
    spectrum = np.fft.rfft2(random.normal(size=(3, height, width))) / frequency ** random.uniform(0, 2.2)
    noise = np.fft.irfft2(spectrum, (height, width))
    noise = (noise - noise.mean()) / noise.std()
    mixed = np.tensordot(random.normal(size=(3, 3)), noise, 1) * random.uniform(15, 70) / 1.5
    return random.uniform(60, 190, (1, 1, 3)) + mixed.transpose(1, 2, 0)

"""A game screen as a live stream shows it: letterboxed, with a webcam, a chat, a banner, recompressed."""

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont

SIZES = [(1280, 720), (1920, 1080), (960, 540), (854, 480)]
NAMES = ["nova", "pixelpat", "kaori_88", "mr_tapir", "luz", "zed", "old_gamer", "wombat", "ines", "qubit"]
WORDS = [
    "gg",
    "wow",
    "nice",
    "again",
    "lol",
    "no",
    "way",
    "first",
    "run",
    "today",
    "what",
    "a",
    "jump",
    "hello",
    "stream",
    "left",
    "right",
    "go",
    "pog",
    "really",
]
PARTS = ("game", "webcam", "chat", "banner")
LEAST_SEEN = 0.2  # of a part's area: less of it, under the other parts, cannot be told
BANNERS = ["NEW FOLLOWER", "DAY 12 OF 100", "SUB GOAL 40/50", "SPEEDRUN ANY%", "THANKS FOR WATCHING", "LIVE"]


Rectangle = tuple[int, int, int, int]  # x1, y1, x2, y2 in pixels


class StreamStyle:
    """One streamer's layout, drawn from `random` once; `show` lays each screen of an episode out in it.

    `size`: width and height of the frames; None: drawn too.
    """

    def __init__(self, random: np.random.Generator, size: tuple[int, int] | None = None) -> None:
        self.random = random
        drawn = SIZES[random.integers(len(SIZES))]
        self.width, self.height = size or drawn
        self.quality = int(random.integers(35, 91))
        self.background = random.choice(["black", "colour", "blur"], p=[0.4, 0.3, 0.3])
        self.colour = tuple(int(v) for v in random.integers(10, 120, 3))
        # Where the 4:3 picture is in the width of the frame: 0 left, 0.5 centre, 1 right.
        self.alignment = float(random.choice([0.0, 0.5, 1.0], p=[0.25, 0.5, 0.25]))
        self.scale = float(random.uniform(0.85, 1.0))
        self.webcam_corner = random.choice(["none", "left top", "right top", "left bottom", "right bottom"])
        self.webcam_share = float(random.uniform(0.16, 0.28))  # of the picture's width
        self.skin = tuple(int(v) for v in random.integers((120, 80, 60), (240, 200, 180)))
        self.chat_side = random.choice(["none", "left", "right"])
        self.banner = str(random.choice(["", *BANNERS]))
        self.banner_top = bool(random.integers(2))
        self.font = ImageFont.load_default(size=round(self.height / 36))
        self.chat = [self._chat_line() for _ in range(12)]
        self.drawn: list[tuple[str, Rectangle]] = []  # of the last frame, in the order of drawing

    def show(self, screen: Image.Image) -> tuple[Image.Image, int]:
        """Return the stream's frame of `screen` (RGB) and the JPEG quality to save it with."""
        frame = self._background(screen)
        self.drawn = []
        height = round(self.height * self.scale)
        width = round(height * 4 / 3)
        picture = screen.resize((width, height), Image.Resampling.BILINEAR)
        left, top = round((self.width - width) * self.alignment), (self.height - height) // 2
        frame.paste(picture, (left, top))
        self.drawn.append(("game", (left, top, left + width, top + height)))
        self._draw_chat(frame)
        self._draw_webcam(frame)
        self._draw_banner(frame)
        return frame, self.quality

    def seen(self) -> dict[str, Rectangle]:
        """Part of PARTS -> the box of what is seen of it on the last frame, without what later parts cover."""
        owner = np.full((self.height, self.width), -1)
        whole = dict.fromkeys(PARTS, 0)
        for part, (x1, y1, x2, y2) in self.drawn:
            place = owner[max(0, y1) : y2, max(0, x1) : x2]
            whole[part] += place.size
            place[:] = PARTS.index(part)
        boxes = {}
        for number, part in enumerate(PARTS):
            rows, columns = np.nonzero(owner == number)
            if len(rows) > LEAST_SEEN * whole[part]:
                boxes[part] = tuple(map(int, (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)))
        return boxes

    def _background(self, screen: Image.Image) -> Image.Image:
        size = (self.width, self.height)
        if self.background == "blur":  # blurred small: the same look at a hundredth of the work
            small = screen.resize((self.width // 10, self.height // 10))
            return small.filter(ImageFilter.GaussianBlur(4)).resize(size, Image.Resampling.BILINEAR)
        return Image.new("RGB", size, self.colour if self.background == "colour" else (0, 0, 0))

    def _chat_line(self) -> tuple[str, str, tuple[int, ...]]:
        name = NAMES[self.random.integers(len(NAMES))]
        words = " ".join(self.random.choice(WORDS, self.random.integers(1, 5)))
        return name, words, tuple(int(v) for v in self.random.integers(100, 256, 3))

    def _draw_chat(self, frame: Image.Image) -> None:
        if self.chat_side == "none":
            return
        if self.random.random() < 0.5:  # somebody wrote since the last frame
            self.chat = [*self.chat[1:], self._chat_line()]
        draw = ImageDraw.Draw(frame)
        left = round(self.width * (0.01 if self.chat_side == "left" else 0.8))
        for row, (name, words, colour) in enumerate(self.chat):
            top = round(self.height * (0.36 + 0.045 * row))
            draw.text((left, top), f"{name}: ", fill=colour, font=self.font)
            shift = draw.textlength(f"{name}: ", font=self.font)
            draw.text((left + shift, top), words, fill=(235, 235, 235), font=self.font)
            box = draw.textbbox((left, top), f"{name}: {words}", font=self.font)
            self.drawn.append(("chat", tuple(map(round, box))))

    def _draw_webcam(self, frame: Image.Image) -> None:
        """A head and shoulders that sway a little before a wall."""
        if self.webcam_corner == "none":
            return
        width = round(self.width * self.webcam_share)
        height = round(width * 0.75)
        wall = np.linspace(40, 90, height, dtype=np.float32)[:, None, None] * np.ones((1, width, 3), np.float32)
        wall += self.random.normal(0, 6, wall.shape)
        camera = Image.fromarray(wall.clip(0, 255).astype(np.uint8))
        draw = ImageDraw.Draw(camera)
        middle = width * (0.5 + self.random.uniform(-0.06, 0.06))
        shirt = tuple(255 - v for v in self.colour)
        draw.ellipse((middle - width * 0.32, height * 0.7, middle + width * 0.32, height * 1.5), fill=shirt)
        draw.ellipse((middle - width * 0.14, height * 0.2, middle + width * 0.14, height * 0.75), fill=self.skin)
        horizontal, vertical = self.webcam_corner.split()
        left = 0 if horizontal == "left" else self.width - width
        top = 0 if vertical == "top" else self.height - height
        frame.paste(camera, (left, top))
        self.drawn.append(("webcam", (left, top, left + width, top + height)))

    def _draw_banner(self, frame: Image.Image) -> None:
        if not self.banner:
            return
        height = round(self.height * 0.07)
        top = 0 if self.banner_top else self.height - height
        draw = ImageDraw.Draw(frame)
        draw.rectangle((0, top, self.width, top + height), fill=self.colour)
        self.drawn.append(("banner", (0, top, self.width, top + height)))
        draw.text((self.width * 0.03, top + height * 0.2), self.banner, fill=(255, 255, 255), font=self.font)

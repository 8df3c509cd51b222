"""How recorded screens are saved: stretched to plain frames of one size, or in the layout of a stream."""

from pathlib import Path

import numpy as np
from PIL import Image

from game_classifier.demo.stream_style import PARTS, StreamStyle
from game_classifier.errors import InputError
from game_classifier.lists.label_files import BOX, IMAGES, label_path, write_boxes

JPEG_QUALITY = 90  # of plain frames


class FrameStyle:
    """Saves the screens of one episode; a stream's layout is drawn from `random` once.

    `style` is "plain", "stream" or "layout": a stream's frames in a folder images, and where its parts lie in labels.
    """

    def __init__(self, style: str, size: tuple[int, int], random: np.random.Generator) -> None:
        self.size = size  # width and height of plain frames, in pixels
        self.stream = None if style == "plain" else StreamStyle(random)
        self.with_boxes = style == "layout"

    def save(self, screen: Image.Image, path: Path) -> None:
        """Write one RGB screen as a JPEG file."""
        if self.stream:
            image, quality = self.stream.show(screen)
        else:
            image, quality = screen.resize(self.size, Image.Resampling.BILINEAR), JPEG_QUALITY
        if self.with_boxes:
            boxes = [(PARTS.index(part), np.array(box) / (image.size * 2)) for part, box in self.stream.seen().items()]
            path = path.parent / IMAGES / path.name
            for file in (path, label_path(path)):
                file.parent.mkdir(exist_ok=True)
            write_boxes(label_path(path), np.array(boxes, BOX))
        image.save(path, quality=quality)


def parse_size(text: str) -> dict[str, int]:
    """`1280x720` as `width` and `height` in pixels; raises InputError."""
    width, _, height = text.partition("x")
    if not (width.isdecimal() and height.isdecimal() and int(width) > 0 and int(height) > 0):
        raise InputError(f"--size {text}: give WIDTHxHEIGHT in pixels, such as 1280x720")
    return {"width": int(width), "height": int(height)}

"""The parts that all report pages share: one file with its pictures inside, and safe for names of any kind."""

import base64
import io
from collections.abc import Callable
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from PIL import Image

from game_classifier.frames.decode import FrameError, Preprocessing, decode_resized

THUMBNAIL = Preprocessing(90, 160, "letterbox")
THUMBNAIL_QUALITY = 80  # of JPEG; some 4 kB each


def render(template: str, **values: Any) -> str:
    """One HTML page of a template of this package; bytes of file names that are not UTF-8 show as \\udcXX."""
    environment = Environment(
        loader=PackageLoader("game_classifier.pages", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    page = environment.get_template(template).render(values)
    return page.encode("utf-8", "backslashreplace").decode("utf-8")


def thumbnail(read: Callable[[], bytes], size: Preprocessing = THUMBNAIL) -> str | None:
    """A small picture of the image file that `read` gives, as a data URI; None when it cannot be read any more."""
    try:
        frame = decode_resized(read(), size)
    except FrameError:
        return None
    data = io.BytesIO()
    Image.fromarray(frame).save(data, "JPEG", quality=THUMBNAIL_QUALITY)
    return "data:image/jpeg;base64," + base64.b64encode(data.getvalue()).decode("ascii")

"""Shows parts of the sample pictures that scikit-image, scikit-learn and matplotlib ship; a game is one picture."""

from pathlib import Path

import matplotlib
import skimage
import sklearn
from PIL import Image

FOLDERS = [
    Path(skimage.__file__).parent / "data",
    Path(sklearn.__file__).parent / "datasets" / "images",
    Path(matplotlib.get_data_path()) / "sample_data",
]


def play(game, random):
    """Yield parts of the picture: 16:9, at least half as wide as the picture."""
    (path,) = (folder / game for folder in FOLDERS if (folder / game).exists())
    picture = Image.open(path).convert("RGB")
    while True:
        width = picture.width * random.uniform(0.5, 1)
        height = min(width * 9 / 16, picture.height)
        left, top = random.uniform(0, picture.width - width), random.uniform(0, picture.height - height)
        box = tuple(int(edge) for edge in (left, top, left + width, top + height))
        yield lambda box=box: picture.crop(box)

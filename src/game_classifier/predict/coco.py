"""The boxes of finished predictions as COCO results JSON, for other tools."""

from pathlib import Path

import numpy as np

from game_classifier.errors import InputError
from game_classifier.predict.predict_list import BOXES
from game_classifier.predict.shards import read_shards
from game_classifier.storage import make_folder, replacing

BOXES_AT_A_TIME = 65_536
ENDING = ".coco.json"


def write_coco(save: Path, folder: Path) -> list[Path]:
    """Write `folder/LIST.coco.json` of each finished list in `save`; returns the files.

    `image_id` is the line of the list, from 1, and `category_id` the class index plus 1. `bbox` is x, y, width and
    height in pixels of the file's picture. Raises InputError if the predictions are a classifier's.
    """
    written = []
    for shard in read_shards(save):
        if shard.boxes is None:
            raise InputError(f"{save}: the predictions of a classifier, which have no boxes; leave --coco out")
        make_folder(folder)
        path = folder / f"{Path(shard.boxes.filename).name.removesuffix(f'{BOXES}.npy')}{ENDING}"
        with replacing(path) as temporary, temporary.open("w", encoding="ascii") as file:
            separator = "["
            for start in range(0, len(shard.boxes), BOXES_AT_A_TIME):
                for line in _lines(shard.boxes[start : start + BOXES_AT_A_TIME]):
                    file.write(separator + line)
                    separator = ",\n"
            file.write("]\n" if len(shard.boxes) else "[]\n")
        written.append(path)
    return written


def _lines(boxes: np.ndarray) -> list[str]:
    """An object for each box; a number has as many digits as its float32 needs."""
    sides = boxes["x2"] - boxes["x1"], boxes["y2"] - boxes["y1"]
    numbers = [each.astype("U16").tolist() for each in (boxes["x1"], boxes["y1"], *sides, boxes["score"])]
    return [
        f'{{"image_id":{row + 1},"category_id":{label + 1},"bbox":[{x},{y},{width},{height}],"score":{score}}}'
        for row, label, x, y, width, height, score in zip(
            boxes["row"].tolist(), boxes["class"].tolist(), *numbers, strict=True
        )
    ]

"""The boxes that label files say are on the frames of a predicted list."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from game_classifier.errors import InputError
from game_classifier.lists.label_files import BOX, label_path, read_boxes
from game_classifier.lists.reopen import reopen_list
from game_classifier.lists.tar_list import TarList


@dataclass(frozen=True)
class Labelled:
    """The frames of a list; `boxes` has BOX [k] of each, and is None if the list cannot be scored."""

    paths: list[str]  # none if the list is gone or has changed
    boxes: list[np.ndarray] | None
    problem: str = ""  # why it cannot be scored, though it has label files


def read_labels(manifest: dict[str, Any]) -> Labelled:
    """Read the label files of the list that a manifest names.

    Where any frame has one, those without are background, as in training.
    """
    frames = reopen_list(manifest)
    if frames is None or isinstance(frames, TarList):
        return Labelled(frames.paths if frames else [], None)
    # Path.is_file raises for a name that is too long.
    files = [path if os.path.isfile(path) else None for path in map(label_path, frames.paths)]  # noqa: PTH113
    if not any(files):
        return Labelled(frames.paths, None)
    return _read(frames.paths, files, len(manifest["class_names"]))


def _read(paths: list[str], files: list[Path | None], num_classes: int) -> Labelled:
    try:
        return Labelled(paths, [read_boxes(path, num_classes) if path else np.zeros(0, BOX) for path in files])
    except (InputError, OSError) as error:
        return Labelled(paths, None, str(error))

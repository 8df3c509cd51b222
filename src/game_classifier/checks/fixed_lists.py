"""Writing lists again without some of their lines."""

from pathlib import Path

import numpy as np

from game_classifier.lists.filelist import FileList, write_lines
from game_classifier.lists.lines import read_lines


def fixed_path(source: Path) -> Path:
    """The path of a list's fixed copy: beside the list, so that relative paths stay valid."""
    return source.with_name(f"{source.stem}.fixed.txt")


def write_fixed_list(frames: FileList, left_out: np.ndarray) -> Path:
    """Write the lines of `frames` that are not `left_out` (bool [N]), unchanged and in order."""
    lines = read_lines(frames.source)
    path = fixed_path(frames.source)
    write_lines(path, [line for line, out in zip(lines, left_out, strict=True) if not out])
    return path

"""Cutting a list into parts of equal length, for batch prediction."""

import os
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

from game_classifier.errors import InputError
from game_classifier.lists.filelist import UNKNOWN, UNKNOWN_WORD, UNLABELLED, FileList, write_lines
from game_classifier.lists.folders import list_images
from game_classifier.storage import make_folder

LABEL_TEXTS = {UNLABELLED: "", UNKNOWN: f" {UNKNOWN_WORD}"}  # what stands behind a path instead of an index


def lines_of_list(frames: FileList, out: Path) -> list[str]:
    """Return the list's lines with paths relative to `out`."""
    return [
        f"{relative(path, out)}{LABEL_TEXTS.get(label, f' {label}')}"
        for path, label in zip(frames.paths, frames.labels.tolist(), strict=True)
    ]


def lines_of_folder(folder: Path, out: Path) -> list[str]:
    """Return an unlabelled line for each image in or below `folder`, sorted; InputError when there is none."""
    images = list_images(folder)
    if not images:
        raise InputError(f"{folder}: holds no images; give a list, or a folder with images in it or below it")
    return [relative(folder / image, out) for image in images]


def relative(path: str | Path, out: Path) -> str:
    """`path` as a list in `out` names it, with `/` separators."""
    return Path(os.path.relpath(path, out)).as_posix()


def write_shards(lines: Sequence[str], parts: int, out: Path, stem: str) -> list[int]:
    """Write `out/STEM_000.txt` ... and return their lengths, which differ by one line at most.

    The order is kept: the shards one after the other are the list. Raises InputError when there are more parts
    than lines, or when `out` holds shards of an earlier cut that this one would not replace.
    """
    if parts > len(lines):
        raise InputError(f"--parts {parts}: there are only {len(lines)} lines; give {len(lines)} or less")
    digits = max(3, len(str(parts - 1)))
    names = [f"{stem}_{part:0{digits}}.txt" for part in range(parts)]
    make_folder(out)
    others = sorted({path.name for path in out.glob(f"{stem}_*.txt")} - set(names))
    if others:
        raise InputError(f"{out / others[0]}: left from an earlier cut; delete it, or choose another --out")
    bounds = [len(lines) * part // parts for part in range(parts + 1)]
    for name, (start, end) in zip(names, pairwise(bounds), strict=True):
        write_lines(out / name, lines[start:end])
    return [end - start for start, end in pairwise(bounds)]

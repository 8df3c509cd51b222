"""Lists of frames: `path index` in each line, `path` alone if the class is not known, `path unknown` if it has none."""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from game_classifier.errors import InputError
from game_classifier.frames.files import read_file
from game_classifier.lists.folders import list_images
from game_classifier.lists.lines import read_lines
from game_classifier.storage import write_text

UNLABELLED = -1
UNKNOWN = -2  # the line says that its frame shows none of the classes
UNKNOWN_WORD = "unknown"  # in the place of the index
MAX_CLASSES = 2**31 - 1  # labels are int32; for reading a list whose class list is not at hand
PATH_AND_LABEL = re.compile(rf"(?P<path>.*\S)\s+(?P<label>[+-]?\d+|{UNKNOWN_WORD})")
LABEL_ALONE = re.compile(r"\s*[+-]?\d+\s*")


@dataclass(frozen=True)
class FileList:
    """The frames of one list file, in its order: row i is line i + 1."""

    source: Path
    paths: list[str]  # as the program can open them
    labels: np.ndarray  # int32 [N], UNLABELLED where the line is a path alone, UNKNOWN where it says so
    sha256: str  # of the list's lines, and of the root they were given
    root: Path | None = None  # folder of the relative paths; None for the list's own folder

    def __len__(self) -> int:
        return len(self.paths)

    def read(self, row: int) -> bytes:
        """The bytes of a row's file, from any thread; raises FrameError."""
        return read_file(self.paths[row])

    def is_current(self) -> bool:
        """Whether the list, or the content of the folder, is unchanged since it was read."""
        try:
            if self.source.is_dir():
                return list_of_images(self.source).sha256 == self.sha256
            return read_file_list(self.source, MAX_CLASSES, self.root).sha256 == self.sha256
        except InputError:
            return False


def read_file_list(path: Path, num_classes: int, root: Path | None = None) -> FileList:
    """Read a list; relative paths start at `root`, or else at the list's own folder.

    Raises InputError, with file and line, for a line without a path and for a class outside
    0..num_classes-1. Does not check whether the files exist.
    """
    base = root if root is not None else path.parent
    paths: list[str] = []
    labels: list[int] = []
    lines = read_lines(path)
    for number, line in enumerate(lines, 1):
        where = f"{path}:{number}"
        if not line.strip():
            raise InputError(f"{where}: blank line; remove it, each line is `path index`")
        if LABEL_ALONE.fullmatch(line):
            raise InputError(f"{where}: {line.strip()!r} is a class index without a path; each line is `path index`")
        match = PATH_AND_LABEL.fullmatch(line)
        label = _label(where, match["label"], num_classes) if match else UNLABELLED
        paths.append(str(base / (match["path"] if match else line)))
        labels.append(label)
    if not paths:
        raise InputError(f"{path}: the list is empty; each line is `path index`")
    identity = "\n".join([str(root or ""), *lines])
    digest = hashlib.sha256(identity.encode("utf-8", "surrogateescape")).hexdigest()
    return FileList(path, paths, np.array(labels, np.int32), digest, root)


def _label(where: str, text: str, num_classes: int) -> int:
    if text == UNKNOWN_WORD:
        return UNKNOWN
    label = int(text)
    if not 0 <= label < num_classes:
        raise InputError(
            f"{where}: class {label} is out of range, the {num_classes} classes are 0 to {num_classes - 1};"
            " correct the line, or make the lists again with tool/get_annotation.py"
        )
    return label


def list_of_images(folder: Path) -> FileList:
    """All images in and below a folder, sorted, without labels; InputError when there are none."""
    names = list_images(folder) if folder.is_dir() else []
    if not names:
        raise InputError(f"{folder}: holds no images; give a list, or a folder with images in it or below it")
    digest = hashlib.sha256("\n".join([str(folder), *names]).encode("utf-8", "surrogateescape")).hexdigest()
    return FileList(folder, [str(folder / name) for name in names], np.full(len(names), UNLABELLED, np.int32), digest)


def require_complete(frames: FileList) -> None:
    """Raise InputError, with file and line, when a line has no label or names a file that is not there."""
    for row, (path, label) in enumerate(zip(frames.paths, frames.labels, strict=True)):
        where = f"{frames.source}:{row + 1}"
        if label == UNLABELLED:
            raise InputError(
                f"{where}: no class index after the path; training and validation need `path index` in each line"
            )
        if label == UNKNOWN:
            raise InputError(
                f"{where}: training and validation lists hold frames of the classes alone; put a frame that shows none"
                " of them into background.txt"
            )
        _require_file(where, path)


def require_background(frames: FileList) -> None:
    """Raise InputError, with file and line, when a line has a class index or names a file that is not there."""
    for row, (path, label) in enumerate(zip(frames.paths, frames.labels, strict=True)):
        where = f"{frames.source}:{row + 1}"
        if label >= 0:
            raise InputError(f"{where}: class {label} after the path; background frames show no class, remove it")
        _require_file(where, path)


def _require_file(where: str, path: str) -> None:
    if not Path(path).is_file():
        raise InputError(
            f"{where}: no such file: {path}; make the lists again with tool/get_annotation.py,"
            " or give the folder of the relative paths with --root"
        )


def write_file_list(path: Path, names: Sequence[str], labels: Sequence[int]) -> None:
    """Write `names` (with `/` separators, relative to the list's folder) and their class indices."""
    write_lines(path, [f"{name} {label}" for name, label in zip(names, labels, strict=True)])


def write_lines(path: Path, lines: Sequence[str]) -> None:
    """Write the lines of a list; InputError for one that a list cannot hold."""
    broken = next((line for line in lines if "\n" in line or "\r" in line), None)
    if broken is not None:
        raise InputError(f"{broken!r}: a list cannot hold a file name with a line break; rename the file")
    write_text(path, "".join(f"{line}\n" for line in lines))

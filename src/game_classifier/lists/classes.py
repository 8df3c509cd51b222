"""Class names and their indices: `annotations.txt`, with one `name index` in each line."""

import hashlib
import re
from collections.abc import Sequence
from pathlib import Path

from game_classifier.errors import InputError
from game_classifier.lists.lines import read_lines
from game_classifier.storage import is_utf8, write_text

# The index is what follows the last white space, since names of games hold spaces.
NAME_AND_INDEX = re.compile(r"(?P<name>\S|\S.*\S)\s+(?P<index>\d+)")


def read_class_names(path: Path) -> tuple[str, ...]:
    """Return the class names in index order.

    Raises InputError, with file and line, for a line that is blank or not `name index`, for a name or an
    index that comes twice, and for indices that are not 0..C-1.
    """
    by_index: dict[int, str] = {}
    line_of_name: dict[str, int] = {}
    for number, line in enumerate(read_lines(path), 1):
        where = f"{path}:{number}"
        if not line.strip():
            raise InputError(f"{where}: blank line; remove it, each line is `name index`")
        match = NAME_AND_INDEX.fullmatch(line)
        if not match:
            raise InputError(f"{where}: {line!r} is not `name index`, such as `space invaders 7`")
        name, index = match["name"], int(match["index"])
        if index in by_index:
            raise InputError(f"{where}: index {index} already belongs to {by_index[index]!r}; give each class its own")
        if name in line_of_name:
            raise InputError(f"{where}: class {name!r} is already on line {line_of_name[name]}; remove one of them")
        if not is_utf8(name):
            raise InputError(f"{where}: {name!r} is not UTF-8; save the file in UTF-8")
        by_index[index] = name
        line_of_name[name] = number
    if not by_index:
        raise InputError(f"{path}: no classes; write one `name index` in each line, or run tool/get_annotation.py")
    missing = next((index for index in range(len(by_index)) if index not in by_index), None)
    if missing is not None:
        raise InputError(
            f"{path}: no class has index {missing}; {len(by_index)} classes need the indices 0 to {len(by_index) - 1}"
        )
    return tuple(by_index[index] for index in range(len(by_index)))


def write_class_names(path: Path, class_names: Sequence[str]) -> None:
    """Write `annotations.txt`; a name that `read_class_names` could not read back raises InputError."""
    for name in class_names:
        match = NAME_AND_INDEX.fullmatch(f"{name} 0")
        if not match or match["name"] != name or not is_utf8(name):
            raise InputError(
                f"class name {name!r}: it starts or ends with white space, holds a line break or is not UTF-8;"
                " rename the folder"
            )
    write_text(path, "".join(f"{name} {index}\n" for index, name in enumerate(class_names)))


def append_class_names(path: Path, class_names: Sequence[str]) -> tuple[str, ...]:
    """Append those of `class_names` that `path` lacks, so that no index changes its meaning; return all its names."""
    known = read_class_names(path) if path.exists() else ()
    names = tuple(dict.fromkeys((*known, *class_names)))
    if names != known:
        write_class_names(path, names)
    return names


def class_hash(class_names: Sequence[str]) -> str:
    """SHA-256 (hex) of the names in order: equal exactly when two class lists are equal."""
    return hashlib.sha256("\n".join(class_names).encode("utf-8", "surrogateescape")).hexdigest()

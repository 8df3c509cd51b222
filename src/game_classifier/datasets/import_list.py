"""Lists that other tools wrote: Awesome-Backbones' `path index` lines, and CSV files with path and label columns."""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from game_classifier.errors import InputError
from game_classifier.lists.filelist import PATH_AND_LABEL


@dataclass(frozen=True)
class Entry:
    """One labelled frame of another tool's list."""

    where: str  # file and line, for messages
    path: Path  # as the program can open it
    label: str  # a class name or an index, as written in the file


def read_foreign_list(source: Path, root: Path, encoding: str, path_column: str, label_column: str) -> list[Entry]:
    """Read `source`: a CSV file by its suffix, anything else as `path index` lines.

    Windows' separators become `/`; relative paths start at `root`. Raises InputError with file and line for a line
    that cannot be read, and for a file that does not exist.
    """
    try:
        text = source.read_bytes().decode(encoding).removeprefix("\ufeff")
    except FileNotFoundError:
        raise InputError(f"{source}: no such file") from None
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise InputError(f"{source}:{line}: not {encoding}; give the encoding with --encoding, such as gbk") from None
    except LookupError:
        raise InputError(f"--encoding {encoding}: no such encoding; try utf-8, gbk, cp1252 ...") from None
    if source.suffix.lower() == ".csv":
        rows = _csv_rows(source, text, path_column, label_column)
    else:
        rows = _lines(source, text)
    entries = [Entry(where, root / name.replace("\\", "/"), label) for where, name, label in rows]
    if not entries:
        raise InputError(f"{source}: holds no frames; write one path and its class in each line")
    for entry in entries:
        if not entry.path.is_file():
            raise InputError(
                f"{entry.where}: no such file: {entry.path}; give the folder of the relative paths with --root"
            )
    return entries


def label_entries(entries: Sequence[Entry], class_names: Sequence[str]) -> tuple[list[int], list[str]]:
    """Return the entries' class indices and the class list, to which unknown names are appended in order.

    A label that is a class name is taken as that; otherwise a number is an index. Raises InputError, with file and
    line, for an index outside `class_names`.
    """
    names = list(class_names)
    unknown = sorted({entry.label for entry in entries if not entry.label.isdecimal()} - set(names))
    names += unknown
    index_of = {name: index for index, name in enumerate(names)}
    labels = []
    for entry in entries:
        label = index_of.get(entry.label)
        if label is None:
            label = int(entry.label)
            if label >= len(class_names):
                raise InputError(
                    f"{entry.where}: class {label}, but {len(class_names)} classes are known; give the class file"
                    " of the indices with --classes"
                )
        labels.append(label)
    return labels, names


def _lines(source: Path, text: str) -> list[tuple[str, str, str]]:
    rows = []
    for number, line in enumerate(text.splitlines(), 1):
        match = PATH_AND_LABEL.fullmatch(line.strip())
        if not match:
            raise InputError(f"{source}:{number}: {line!r} is not `path index`")
        rows.append((f"{source}:{number}", match["path"], match["label"]))
    return rows


def _csv_rows(source: Path, text: str, path_column: str, label_column: str) -> list[tuple[str, str, str]]:
    reader = csv.DictReader(io.StringIO(text, newline=""))
    columns = list(reader.fieldnames or [])
    for column, option in ((path_column, "--path-column"), (label_column, "--label-column")):
        if column not in columns:
            raise InputError(
                f"{source}:1: no column {column!r} among {columns}; the first line must name the columns, divided by"
                f" commas, such as path,label; {option} takes another name"
            )
    rows = []
    for row in reader:
        where = f"{source}:{reader.line_num}"
        if not row[path_column] or not row[label_column]:
            raise InputError(f"{where}: no path or no label; fill in both columns, or remove the line")
        rows.append((where, row[path_column].strip(), row[label_column].strip()))
    return rows

"""Writing files in one step: a reader never sees half a file, even if the writer is killed."""

import csv
import io
import json
import os
import platform
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from game_classifier.errors import InputError


def make_folder(folder: Path) -> Path:
    """Create `folder` with its parents and prove that files can be written there.

    Raises InputError, with the remedy, when they cannot.
    """
    probe = folder / f".probe.{os.getpid()}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise InputError(
            f"{folder}: cannot be written ({error.strerror}); choose an output folder that you may write to"
        ) from error
    return folder


def remove_abandoned(folder: Path) -> None:
    """Delete the temporary files of `replacing` in `folder` whose process on this machine was killed."""
    for path in folder.glob(f".*.{platform.node()}-*.tmp"):
        process = path.name.rpartition("-")[2].removesuffix(".tmp")
        if process.isdecimal() and not _runs(int(process)):
            path.unlink(missing_ok=True)


def _runs(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; it replaces `path` at the end, and is removed on an error.

    An OSError without a file name, as of a full disk, gets `path`.
    """
    temporary = path.with_name(f".{path.name}.{platform.node()}-{os.getpid()}.tmp")
    try:
        yield temporary
        temporary.replace(path)
    except OSError as error:
        error.filename = error.filename or str(path)
        raise
    finally:
        temporary.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text with `\\n` line ends in one step; surrogates become the bytes they stand for."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8", errors="surrogateescape", newline="\n")


def write_csv(path: Path, header: Iterable[str], rows: Iterable[Iterable[object]]) -> None:
    """Write a CSV file with `\\n` line ends in one step."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    write_text(path, text.getvalue())


def write_json(path: Path, value: Any) -> None:
    """Write `value` as readable JSON in one step."""
    write_text(path, json_text(value))


def json_text(value: Any) -> str:
    """Readable JSON; file names that are not UTF-8 make it all ASCII."""
    text = json.dumps(value, ensure_ascii=False, indent=2)
    return (text if is_utf8(text) else json.dumps(value, indent=2)) + "\n"


def is_utf8(text: str) -> bool:
    """Whether `text` has none of the surrogates by which Python keeps other bytes of file names."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True

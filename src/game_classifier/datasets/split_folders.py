"""Placing a split's images in its folders. There is never half a split, and no other file is ever deleted."""

import hashlib
import json
import os
import shutil
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from game_classifier.errors import InputError
from game_classifier.storage import make_folder, write_json

MANIFEST = "split.json"
IN_PROGRESS = ".split-in-progress"


def write_split(
    source: Path, out: Path, sides: Mapping[str, Sequence[str]], mode: str, settings: Mapping[str, Any]
) -> Counter[str]:
    """Place the images of each side at `out/<side>/<path>` and return how many were linked and copied.

    Every file is made again, since an image may have been replaced under its name: a link to the old one would
    keep the old pixels. Built in a folder of its own and moved into place at the end. The manifest `out/split.json`
    names every file that this tool made; only those are ever deleted, when a split is made again. Its
    `frames_sha256` changes when an image is added, removed or replaced. Raises InputError when `out` holds files
    that this tool did not make where the split should go.
    """
    # Before the images are placed: one that is replaced meanwhile then makes the next digest another.
    settings = {**settings, "frames_sha256": _digest(source, sides)}
    make_folder(out)
    manifest = out / MANIFEST
    previous = json.loads(manifest.read_text(encoding="utf-8"))["files"] if manifest.exists() else []
    files = [f"{side}/{path}" for side, paths in sides.items() for path in paths]
    folders = {*sides, *(path.partition("/")[0] for path in previous)}
    _require_own_files(out, folders, set(previous))

    building = out / IN_PROGRESS
    shutil.rmtree(building, ignore_errors=True)
    placed: Counter[str] = Counter()
    for side, paths in sides.items():
        for path in paths:
            target = building / side / path
            target.parent.mkdir(parents=True, exist_ok=True)
            placed[_place(source / path, target, mode)] += 1
    # From here on a kill may leave old and new files mixed: the manifest owns both until all is done.
    write_json(manifest, {**settings, "files": sorted({*previous, *files})})
    for folder in sorted(folders):
        if (out / folder).exists():
            shutil.rmtree(out / folder)
    for side in sides:
        (building / side).rename(out / side)
    building.rmdir()
    write_json(manifest, {**settings, "files": files})
    return placed


def _digest(source: Path, sides: Mapping[str, Sequence[str]]) -> str:
    """A hash of the images' paths, sizes and times of modification, whichever side they are on."""
    digest = hashlib.sha256()
    for path in sorted(path for paths in sides.values() for path in paths):
        state = (source / path).stat()
        digest.update(os.fsencode(f"{path} {state.st_size} {state.st_mtime_ns}\n"))
    return digest.hexdigest()


def _require_own_files(out: Path, folders: Iterable[str], own: set[str]) -> None:
    for top in sorted(folders):
        for folder, _, names in os.walk(out / top):
            for name in names:
                path = (Path(folder) / name).relative_to(out).as_posix()
                if path not in own:
                    raise InputError(
                        f"{out / path}: this tool did not make this file and never deletes it; move it, or choose"
                        " another --out"
                    )


def _place(source: Path, target: Path, mode: str) -> str:
    """Put one file at `target` and return the way it went: hardlink, symlink or copy."""
    if mode == "symlink":
        target.symlink_to(source.resolve())
        return "symlink"
    if mode == "hardlink":
        try:
            os.link(source.resolve(), target)
            return "hardlink"
        except OSError:  # another file system, or one without links
            pass
    shutil.copy2(source, target)
    return "copy"

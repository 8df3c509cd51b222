"""Dividing class folders into train and val, so that frames of one recording stay on one side."""

import hashlib
import json
import os
import re
import shutil
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from game_classifier.errors import InputError
from game_classifier.storage import make_folder, write_json

MANIFEST = "split.json"
IN_PROGRESS = ".split-in-progress"


def group_key(group_by: str | None) -> Callable[[str], str]:
    """Return the function from an image's relative path to its group.

    `group_by` is None (each image for itself), "parent" (its folder) or a regular expression with a named
    group `group`, searched in the path; a path that it does not match raises InputError.
    """
    if group_by is None:
        return lambda path: path
    if group_by == "parent":
        return lambda path: path.rpartition("/")[0]
    try:
        pattern = re.compile(group_by)
    except re.error as error:
        raise InputError(f"--group-by {group_by!r}: not a regular expression: {error}") from None
    if "group" not in pattern.groupindex:
        raise InputError(
            f"--group-by {group_by!r}: needs a named group, such as '(?P<group>.*)_\\d+\\.jpg', or the word parent"
        )

    def key(path: str) -> str:
        match = pattern.search(path)
        if not match:
            raise InputError(
                f"{path}: --group-by {group_by!r} does not match; widen the expression or move the file away"
            )
        return match["group"]

    return key


def choose_validation(
    classes: Mapping[str, Sequence[str]], val_rate: float, key: Callable[[str], str], seed: int
) -> set[str]:
    """Return the groups that go to validation: about `val_rate` of each class, at least one group of it.

    Groups are taken in the order of a hash of seed and name: the same on every machine and for every
    version of every library, and new recordings do not shuffle the old ones. No class loses its last
    training group. Raises InputError naming the classes that cannot be on both sides.
    """
    sizes = {name: Counter(key(path) for path in paths) for name, paths in classes.items()}
    classes_of = defaultdict(set)
    for name, groups in sizes.items():
        for group in groups:
            classes_of[group].add(name)
    validation: set[str] = set()

    def leaves_training(group: str) -> bool:
        return all(len(sizes[name].keys() - validation) > 1 for name in classes_of[group])

    for groups in sizes.values():
        target = val_rate * groups.total()
        taken = sum(size for group, size in groups.items() if group in validation)
        for group in sorted(groups.keys() - validation, key=lambda group: _order(seed, group)):
            if (taken == 0 or taken + groups[group] / 2 <= target) and leaves_training(group):
                validation.add(group)
                taken += groups[group]
    _require_both_sides(classes, sizes, validation)
    return validation


def _order(seed: int, group: str) -> bytes:
    return hashlib.sha256(f"{seed}/{group}".encode("utf-8", "surrogateescape")).digest()


def _require_both_sides(
    classes: Mapping[str, Sequence[str]], sizes: Mapping[str, Counter[str]], validation: set[str]
) -> None:
    short = [name for name, groups in sizes.items() if groups.keys() <= validation or not groups.keys() & validation]
    if not short:
        return
    others = f" (and {len(short) - 1} more classes: {', '.join(short[1:6])})" if len(short) > 1 else ""
    images, groups = len(classes[short[0]]), len(sizes[short[0]])
    if images == 1:
        raise InputError(
            f"class {short[0]!r} has one image only{others}; a class needs one to train on and one to validate on:"
            " add images or remove the folder"
        )
    raise InputError(
        f"class {short[0]!r} cannot be on both sides: its {images} images form {groups} group(s){others};"
        " add frames of another recording, or choose a --group-by with smaller groups"
    )


def write_split(
    source: Path, out: Path, sides: Mapping[str, Sequence[str]], mode: str, settings: Mapping[str, Any]
) -> Counter[str]:
    """Place the images of each side at `out/<side>/<path>` and return how many were linked and copied.

    Built in a folder of its own and moved into place at the end. The manifest `out/split.json` names every
    file that this tool made; only those are ever deleted, when a split is made anew. Raises InputError when
    `out` holds files of somebody else's where the split should go.
    """
    make_folder(out)
    manifest = out / MANIFEST
    previous = json.loads(manifest.read_text(encoding="utf-8"))["files"] if manifest.exists() else []
    files = [f"{side}/{path}" for side, paths in sides.items() for path in paths]
    _require_own_files(out, sides, set(previous))

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
    for side in sides:
        if (out / side).exists():
            shutil.rmtree(out / side)
        (building / side).rename(out / side)
    building.rmdir()
    write_json(manifest, {**settings, "files": files})
    return placed


def _require_own_files(out: Path, sides: Mapping[str, Sequence[str]], own: set[str]) -> None:
    for side in sides:
        for folder, _, names in os.walk(out / side):
            for name in names:
                path = (Path(folder) / name).relative_to(out).as_posix()
                if path not in own:
                    raise InputError(
                        f"{out / path}: not made by this tool, which never deletes it; move it away, or name"
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

"""`lists.json` beside lists: the class list that their indices were made for.

A list holds indices, not names. With another class order, every frame would be scored against a wrong class.
"""

import json
from collections.abc import Sequence
from pathlib import Path

from game_classifier.errors import InputError
from game_classifier.lists.classes import class_hash
from game_classifier.lists.filelist import FileList
from game_classifier.storage import write_json

MANIFEST = "lists.json"


def write_list_manifest(folder: Path, class_names: Sequence[str], lists: Sequence[str]) -> None:
    """Record which class list the files named `lists` in `folder` were made for; entries of other files stay."""
    path = folder / MANIFEST
    known = _read(path)
    entry = {"class_hash": class_hash(class_names), "class_names": list(class_names)}
    write_json(path, known | {name: entry for name in lists})


def require_same_classes(frames: FileList, class_names: Sequence[str], owner: Path) -> None:
    """Raise InputError when the list was made for another class list than that of `owner`, a file.

    A list that only lacks classes that `owner` appended later passes, and so does a list without a manifest.
    """
    entry = _read(frames.source.parent / MANIFEST).get(frames.source.name)
    if entry is None or entry["class_hash"] == class_hash(class_names):
        return
    theirs = entry["class_names"]
    if list(class_names[: len(theirs)]) == theirs:
        return
    differing = next(
        (index for index, (one, other) in enumerate(zip(theirs, class_names, strict=False)) if one != other),
        min(len(theirs), len(class_names)),
    )
    names = [names[differing] if differing < len(names) else "none" for names in (theirs, class_names)]
    raise InputError(
        f"{frames.source}: made for another class list than {owner}: class {differing} is {names[0]!r} in the list and"
        f" {names[1]!r} there; make the lists again with tool/get_annotation.py --classes and a file in that order"
    )


def _read(path: Path) -> dict:
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}

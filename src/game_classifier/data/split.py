"""Choosing which images go to validation, so that frames of one recording stay on one side."""

import hashlib
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence

from game_classifier.errors import InputError


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

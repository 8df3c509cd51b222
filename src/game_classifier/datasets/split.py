"""Choosing which images go where, so that frames of one recording stay on one side.

Groups are dealt class by class in the order of a hash of seed and name. The order is the same on every machine and with
every version of every library, and a new recording does not shuffle the old ones. scikit-learn's StratifiedGroupKFold
balances well but does not guarantee that a fold has every class: with 104 classes of 4 groups each, each of its 5 folds
lacks 20 or 21 classes.
"""

import hashlib
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence

from game_classifier.errors import InputError

TRAIN = "train"

Classes = Mapping[str, Sequence[str]]  # class name -> paths of its images
Groups = Mapping[str, str]  # path of an image -> its group


def group_images(classes: Classes, group_by: str | None) -> dict[str, str]:
    """Return {path: group} for every image.

    `group_by` is None (each image for itself), "parent" (its folder) or a regular expression with a named
    group `group`, searched in the path; a path that it does not match raises InputError.
    """
    paths = [path for images in classes.values() for path in images]
    if group_by is None:
        return {path: path for path in paths}
    if group_by == "parent":
        return {path: path.rpartition("/")[0] for path in paths}
    try:
        pattern = re.compile(group_by)
    except re.error as error:
        raise InputError(f"--group-by {group_by!r}: not a regular expression: {error}") from None
    if "group" not in pattern.groupindex:
        raise InputError(
            f"--group-by {group_by!r}: needs a named group, such as '(?P<group>.*)_\\d+\\.jpg', or the word parent"
        )
    groups = {}
    for path in paths:
        match = pattern.search(path)
        if not match:
            raise InputError(
                f"{path}: --group-by {group_by!r} does not match this path; change the expression or move the file"
            )
        groups[path] = match["group"]
    return groups


def group_by_time(classes: Classes, blocks: int) -> dict[str, str]:
    """Return {path: group}: the images of each folder, in the order of their names, cut into `blocks` runs.

    For frames of one long recording: a frame's neighbours in time are in its own run. Numbers in names count as
    numbers, so that frame 10 follows frame 9.
    """
    folders = defaultdict(list)
    for images in classes.values():
        for path in images:
            folders[path.rpartition("/")[0]].append(path)
    groups = {}
    for folder, paths in folders.items():
        runs = min(blocks, len(paths))
        for position, path in enumerate(sorted(paths, key=_natural)):
            groups[path] = f"{folder}/block {position * runs // len(paths)}"
    return groups


def _natural(path: str) -> list[tuple[int, str]]:
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d+)", path)]


def choose_parts(classes: Classes, groups: Groups, shares: Mapping[str, float], seed: int) -> dict[str, str]:
    """Return {group: part}; each part gets about its share of each class and at least one group, training the rest.

    Raises InputError naming the classes that cannot be on every side.
    """
    sizes, classes_of = _count(classes, groups)
    chosen: dict[str, str] = {}
    for rank, (part, share) in enumerate(shares.items()):
        for counts in sizes.values():
            taken = sum(size for group, size in counts.items() if chosen.get(group) == part)
            for group in _in_hash_order(counts.keys() - chosen.keys(), seed):
                # A group is left for each later part and for training, in every class that this one belongs to.
                left = min(len(sizes[name].keys() - chosen.keys()) for name in classes_of[group])
                fits = taken == 0 or taken + counts[group] / 2 <= share * counts.total()
                if fits and left > len(shares) - rank:
                    chosen[group] = part
                    taken += counts[group]
    parts = {group: chosen.get(group, TRAIN) for group in classes_of}
    _require_every_side(classes, sizes, parts, len(shares) + 1)
    return parts


def choose_folds(classes: Classes, groups: Groups, folds: int, seed: int) -> dict[str, str]:
    """Return {group: part}, the parts named fold1, fold2 ..., each with about as many images of each class.

    Raises InputError naming the classes that have fewer groups than there are folds.
    """
    sizes, _ = _count(classes, groups)
    names = [f"fold{number}" for number in range(1, folds + 1)]
    chosen: dict[str, str] = {}
    for counts in sizes.values():
        load = dict.fromkeys(names, 0)
        for group in counts.keys() & chosen.keys():
            load[chosen[group]] += counts[group]
        for group in _in_hash_order(counts.keys() - chosen.keys(), seed):
            chosen[group] = min(names, key=load.__getitem__)  # of equals the first
            load[chosen[group]] += counts[group]
    _require_every_side(classes, sizes, chosen, folds)
    return chosen


def _count(classes: Classes, groups: Groups) -> tuple[dict[str, Counter[str]], dict[str, set[str]]]:
    """Return {class: {group: images}} and {group: its classes}."""
    sizes = {name: Counter(groups[path] for path in paths) for name, paths in classes.items()}
    classes_of: dict[str, set[str]] = defaultdict(set)
    for name, counts in sizes.items():
        for group in counts:
            classes_of[group].add(name)
    return sizes, classes_of


def _in_hash_order(groups: Iterable[str], seed: int) -> list[str]:
    def order(group: str) -> bytes:
        return hashlib.sha256(f"{seed}/{group}".encode("utf-8", "surrogateescape")).digest()

    return sorted(groups, key=order)


def _require_every_side(
    classes: Classes, sizes: Mapping[str, Counter[str]], parts: Mapping[str, str], sides: int
) -> None:
    short = [name for name, counts in sizes.items() if len({parts[group] for group in counts}) < sides]
    if not short:
        return
    others = f" (and {len(short) - 1} more classes: {', '.join(short[1:6])})" if len(short) > 1 else ""
    images, groups = len(classes[short[0]]), len(sizes[short[0]])
    if images == 1:
        raise InputError(
            f"class {short[0]!r} has only one image{others}; it needs one image on each of the {sides} sides;"
            " add images or remove the folder"
        )
    raise InputError(
        f"class {short[0]!r} cannot be on all {sides} sides: its {images} images form {groups} group(s){others};"
        " add frames of other recordings, or choose smaller groups (--group-by, --time-blocks) or fewer sides"
    )

"""Making annotations.txt, train.txt and val.txt from a data set's folders."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from game_classifier.data.classes import read_class_names, write_class_names
from game_classifier.data.dataset import ANNOTATIONS, TRAIN_LIST, VAL_LIST
from game_classifier.data.filelist import write_file_list
from game_classifier.data.folders import list_class_folders
from game_classifier.errors import InputError

SIDES = {"train": TRAIN_LIST, "val": VAL_LIST}


def annotate(
    dataset: Path, classes_file: Path | None, allow_missing: bool
) -> tuple[list[str], dict[str, dict[str, int]]]:
    """Write the lists beside the data; return the classes that are new and {class: {side: images}}.

    The class order is that of `classes_file` (by default the data set's own annotations.txt) where that
    exists; new classes come after it in alphabetical order, so that no index ever changes its meaning.
    Raises InputError when a known class has no images on either side, unless `allow_missing`.
    """
    images = {side: list_class_folders(dataset / side) for side in SIDES}
    found = sorted(set().union(*images.values()))
    order = classes_file or dataset / ANNOTATIONS
    known = read_class_names(order) if order.exists() else ()
    missing = [name for name in known if name not in found]
    if missing and not allow_missing:
        raise InputError(
            f"{order}: class {missing[0]!r} ({len(missing)} such) has no folder in {dataset}; restore the folder,"
            " keep its index without images by --allow-missing, or delete the file to number the classes anew"
        )
    new = [name for name in found if name not in known]
    class_names = [*known, *new]

    # Names are checked as they are written, the class lists first: a bad name leaves the old lists whole.
    for path in {order, dataset / ANNOTATIONS}:
        write_class_names(path, class_names)
    counts = {name: {side: len(images[side].get(name, ())) for side in SIDES} for name in class_names}
    for side, list_name in SIDES.items():
        write_side(dataset / list_name, side, class_names, images[side])
    return new, counts


def write_side(path: Path, side: str, class_names: Sequence[str], images: Mapping[str, Sequence[str]]) -> None:
    """Write one list: the images of `side`, class by class in index order."""
    labelled = [(f"{side}/{image}", index) for index, name in enumerate(class_names) for image in images.get(name, ())]
    write_file_list(path, [image for image, _ in labelled], [index for _, index in labelled])

"""Making annotations.txt and the lists of a data set from its folders."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from game_classifier.datasets.cut_list import lines_of_list
from game_classifier.errors import InputError
from game_classifier.lists.classes import read_class_names, write_class_names
from game_classifier.lists.dataset import ANNOTATIONS, BACKGROUND_LIST, TRAIN_LIST, VAL_LIST
from game_classifier.lists.filelist import list_of_images, write_file_list, write_lines
from game_classifier.lists.folders import list_class_folders, require_files
from game_classifier.lists.manifest import write_list_manifest
from game_classifier.storage import make_folder

SIDES = ("train", "val", "test")  # the last one is optional
FOLD = re.compile(r"fold\d+")
FOLD_LISTS = "lists"  # each fold's data set is DATASET/lists/foldK

Images = Mapping[str, Mapping[str, Sequence[str]]]  # side -> class -> paths below the side


def annotate(
    dataset: Path, classes_file: Path | None, allow_missing: bool, background: Path | None = None
) -> tuple[list[str], dict[str, dict[str, int]], list[Path]]:
    """Write class list and lists beside the data; return the new classes, {class: {side: images}}, and the lists.

    The sides are the folders train, val and test. If there are folders fold1, fold2 ..., each fold becomes a data set
    `lists/foldK` that validates on itself and trains on the others.

    If `classes_file` (by default the data set's own annotations.txt) exists, its class order is kept; new classes come
    after it in alphabetical order, so that no index ever changes its meaning.
    `background` is a folder of images that show no class; each data set gets their list, background.txt.
    Raises InputError when a known class has no images on any side, unless `allow_missing`, or `background` has none.
    """
    shown_nothing = list_of_images(background) if background else None
    require_files(shown_nothing.paths if shown_nothing else ())
    folds = sorted(path.name for path in dataset.glob("fold*") if path.is_dir() and FOLD.fullmatch(path.name))
    sides = folds or [side for side in SIDES if side != "test" or (dataset / side).is_dir()]
    for side in sides:
        if not (dataset / side).is_dir():
            raise InputError(
                f"{dataset / side}: no such folder; a data set holds train and val, each with one folder of images for"
                " each class; tool/split_data.py makes them of class folders"
            )
    images = {side: list_class_folders(dataset / side) for side in sides}
    found = sorted(set().union(*images.values()))
    order = classes_file or dataset / ANNOTATIONS
    known = read_class_names(order) if order.exists() else ()
    missing = [name for name in known if name not in found]
    if missing and not allow_missing:
        raise InputError(
            f"{order}: class {missing[0]!r} has no folder in {dataset} (classes without a folder: {len(missing)});"
            " restore the folder, keep the index with --allow-missing, or delete the class file to number the classes"
            " again"
        )
    new = [name for name in found if name not in known]
    class_names = (*known, *new)

    # Writing checks the names. The class lists come first, so that a bad name leaves the old lists unchanged.
    for path in {order, dataset / ANNOTATIONS}:
        write_class_names(path, class_names)
    written: list[Path] = []
    if folds:
        for fold in folds:
            lists = {TRAIN_LIST: [other for other in folds if other != fold], VAL_LIST: [fold]}
            write_class_names(make_folder(dataset / FOLD_LISTS / fold) / ANNOTATIONS, class_names)
            written += _write_lists(dataset / FOLD_LISTS / fold, "../../", lists, class_names, images)
    else:
        written += _write_lists(dataset, "", {f"{side}.txt": [side] for side in sides}, class_names, images)
    if shown_nothing:
        for folder in sorted({path.parent for path in written}):
            written.append(folder / BACKGROUND_LIST)
            write_lines(written[-1], lines_of_list(shown_nothing, folder))
    return new, {name: {side: len(images[side].get(name, ())) for side in sides} for name in class_names}, written


def _write_lists(
    folder: Path, prefix: str, lists: Mapping[str, Sequence[str]], class_names: Sequence[str], images: Images
) -> list[Path]:
    """Write `lists` ({file name: its sides}) into `folder`, class by class in index order; return their paths."""
    for file_name, sides in lists.items():
        labelled = [
            (f"{prefix}{side}/{image}", index)
            for index, name in enumerate(class_names)
            for side in sides
            for image in images[side].get(name, ())
        ]
        write_file_list(folder / file_name, [image for image, _ in labelled], [index for _, index in labelled])
    write_list_manifest(folder, class_names, list(lists))
    return [folder / file_name for file_name in lists]

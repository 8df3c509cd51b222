"""A data set for training: a folder with annotations.txt, train.txt and val.txt, and background.txt if it has one."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from game_classifier.errors import InputError
from game_classifier.lists.classes import read_class_names
from game_classifier.lists.filelist import (
    MAX_CLASSES,
    FileList,
    read_file_list,
    require_background,
    require_complete,
)
from game_classifier.lists.manifest import require_same_classes

ANNOTATIONS = "annotations.txt"
TRAIN_LIST = "train.txt"
VAL_LIST = "val.txt"
BACKGROUND_LIST = "background.txt"


@dataclass(frozen=True)
class Dataset:
    """Class names and the two lists, whose files all exist."""

    folder: Path
    root: Path | None  # folder of the relative paths in the lists; None for `folder`
    class_names: tuple[str, ...]
    train: FileList
    val: FileList
    background: FileList | None = None  # frames of no class; None if the data set has none


ReadList = Callable[[Path, int, Path | None], FileList]  # (list, number of classes, root)


def read_dataset(folder: Path, root: Path | None = None) -> Dataset:
    """Read the data set of a classifier; relative paths in the lists start at `root`, or else at `folder`.

    Raises InputError naming the file and line that is wrong.
    """
    dataset = read_lists(folder, root, read_file_list)
    if len(dataset.class_names) < 2:
        raise InputError(f"{folder / ANNOTATIONS}: only one class; a classifier needs at least two")
    for frames in (dataset.train, dataset.val):
        require_complete(frames)
    return dataset


def read_lists(folder: Path, root: Path | None, read_list: ReadList) -> Dataset:
    """Read the class list and both lists, each by `read_list`; InputError as above."""
    if not folder.is_dir():
        raise InputError(
            f"{folder}: no such folder; make a data set with tool/split_data.py and tool/get_annotation.py"
        )
    class_names = read_class_names(folder / ANNOTATIONS)
    lists = [read_list(folder / name, len(class_names), root) for name in (TRAIN_LIST, VAL_LIST)]
    for frames in lists:
        require_same_classes(frames, class_names, folder / ANNOTATIONS)
    return Dataset(folder, root, class_names, *lists, read_background(folder, root))


def read_background(folder: Path, root: Path | None = None) -> FileList | None:
    """The frames of background.txt in a data set's folder, which show no class; None if there is no such list.

    Raises InputError, with file and line, for a line with a class index and for a file that is not there.
    """
    path = folder / BACKGROUND_LIST
    if not path.exists():
        return None
    frames = read_file_list(path, MAX_CLASSES, root)
    require_background(frames)
    return frames

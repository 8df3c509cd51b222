"""Batch prediction of many lists on this machine."""

from collections.abc import Sequence
from pathlib import Path

from game_classifier.errors import InputError
from game_classifier.lists.dataset import ANNOTATIONS
from game_classifier.lists.filelist import FileList, list_of_images, read_file_list
from game_classifier.lists.folders import is_image_name
from game_classifier.lists.manifest import require_same_classes
from game_classifier.lists.tar_list import read_tar_list
from game_classifier.predict.predict_list import BOXES, Predictor
from game_classifier.runtime.runner import Runner
from game_classifier.storage import make_folder, remove_abandoned
from game_classifier.tasks.choose import task_of


def find_lists(source: Path) -> list[Path]:
    """The lists in `source` if it is a folder of lists, or `source` itself: a list, a tar or a folder of images."""
    if not source.exists():
        raise InputError(
            f"{source}: no such file or folder; give a list of frames, a folder of lists or images, or a tar"
        )
    if source.is_file():
        return [source]
    lists = sorted(path for path in source.glob("*.txt") if path.name != ANNOTATIONS)
    if lists and any(is_image_name(path.name) for path in source.iterdir()):
        raise InputError(
            f"{source}: holds images and also {lists[0].name}, which would be read as a list of frames; give that list"
            " itself, or move it to predict the images"
        )
    return lists or [source]


def read_list(source: Path, runner: Runner, root: Path | None) -> FileList:
    """Read one of `find_lists`; InputError when a line is wrong, or the classes are not the network's."""
    if source.stem.endswith(BOXES) and task_of(runner.network).rows.boxes is not None:
        raise InputError(f"{source}: LIST{BOXES}.npy holds the boxes of LIST; give the list another name")
    if source.is_dir():
        return list_of_images(source)
    if source.suffix == ".tar":
        return read_tar_list(source)
    frames = read_file_list(source, len(runner.class_names), root)
    require_same_classes(frames, runner.class_names, runner.source)
    return frames


def predict_lists(lists: Sequence[FileList], predictor: Predictor, save: Path) -> int:
    """Predict each list into `save`; return how many were already finished and are kept."""
    make_folder(save)
    remove_abandoned(save)
    return [predictor.predict(frames, save) for frames in lists].count(False)

"""Batch prediction of many lists on this machine."""

from collections.abc import Sequence
from pathlib import Path

from game_classifier.data.dataset import ANNOTATIONS
from game_classifier.data.filelist import FileList, read_file_list
from game_classifier.data.list_manifest import require_same_classes
from game_classifier.deploy.runtime import Classifier
from game_classifier.errors import InputError
from game_classifier.predict.shard import predict_shard
from game_classifier.storage import make_folder


def find_lists(source: Path) -> list[Path]:
    """Return `source` itself if it is a list, or the `*.txt` files of the folder `source`, sorted."""
    if not source.exists():
        raise InputError(f"{source}: no such list or folder; give a list of frames, or a folder of lists")
    if source.is_file():
        return [source]
    lists = sorted(path for path in source.glob("*.txt") if path.name != ANNOTATIONS)
    if not lists:
        raise InputError(f"{source}: a folder without lists (*.txt); give a list of frames, or a folder of lists")
    return lists


def read_lists(sources: Sequence[Path], classifier: Classifier, root: Path | None) -> list[FileList]:
    """Read every list before the first frame is predicted, so that a wrong one shows at once."""
    lists = [read_file_list(source, len(classifier.class_names), root) for source in sources]
    for frames in lists:
        require_same_classes(frames, classifier.class_names, classifier.source)
    return lists


def predict_lists(lists: Sequence[FileList], classifier: Classifier, save: Path, batch_size: int, threads: int) -> int:
    """Predict each list into `save`; return how many were finished before and are kept."""
    make_folder(save)
    model_sha256 = classifier.sha256()
    done = [predict_shard(frames, classifier, model_sha256, save, batch_size, threads) for frames in lists]
    return done.count(False)

"""Opening the list of some predictions again, if it still exists and is unchanged."""

from pathlib import Path
from typing import Any

from game_classifier.errors import InputError
from game_classifier.lists.filelist import FileList, list_of_images, read_file_list
from game_classifier.lists.tar_list import read_tar_list

HEAD = 4096


def reopen_list(manifest: dict[str, Any]) -> FileList | None:
    """Return the list, folder or tar that a manifest names; None if it is gone or has changed.

    Row i of the predictions is its frame i. A missing list is not an error, because predictions may outlive it.
    """
    name, root = manifest.get("list"), manifest.get("root")
    if not name:
        return None
    source = Path(name)
    try:
        if source.is_dir():
            frames = list_of_images(source)
        elif source.suffix == ".tar":
            frames = read_tar_list(source)
        elif _may_be_a_list(source):
            frames = read_file_list(source, len(manifest["class_names"]), Path(root) if root else None)
        else:
            return None
    except (InputError, OSError):
        return None
    return frames if frames.sha256 == manifest.get("list_sha256") else None


def _may_be_a_list(path: Path) -> bool:
    """Whether `path` is a text file: reading gigabytes of something else as lines would take all memory."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return b"\0" not in file.read(HEAD)

"""Lists for detectors: a path in each line, with the boxes of its frame in a label file (lists/label_files.py)."""

import contextlib
import hashlib
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np

from game_classifier.errors import InputError
from game_classifier.frames.decode import FrameError, read_size
from game_classifier.lists.filelist import UNLABELLED, FileList, read_file_list
from game_classifier.lists.label_files import BOX, label_path, read_boxes


@dataclass(frozen=True)
class FrameBoxes:
    """The boxes on some frames of a list, and the sizes of their files; an int array indexes it by frame."""

    rows: np.ndarray  # int64 [n], the frames' rows of the list
    sizes: np.ndarray  # int32 [n, 2], height and width of each file in pixels; 0 where it cannot be read
    starts: np.ndarray  # int64 [n + 1]: the boxes of frame i are starts[i] to starts[i + 1]
    boxes: np.ndarray  # BOX [starts[-1]]

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, wanted: np.ndarray) -> "FrameBoxes":
        parts = [self.of(number) for number in wanted]
        starts = np.cumsum([0, *map(len, parts)])
        return FrameBoxes(self.rows[wanted], self.sizes[wanted], starts, np.concatenate([*parts, np.zeros(0, BOX)]))

    def of(self, number: int) -> np.ndarray:
        """The boxes of frame `number`, BOX [k]."""
        return self.boxes[self.starts[number] : self.starts[number + 1]]

    def frame_of_box(self) -> np.ndarray:
        """The number of each box's frame, int64."""
        return np.repeat(np.arange(len(self)), np.diff(self.starts))


@dataclass(frozen=True, kw_only=True)
class BoxList(FileList):
    """A list whose frames have boxes; its labels are all UNLABELLED."""

    boxes: FrameBoxes


def read_box_list(path: Path, num_classes: int, root: Path | None = None) -> BoxList:
    """Read a list and the label files of its frames; a frame without a label file is background.

    Raises InputError, with file and line, for a line with a class index, a file that is not there and a line of a label
    file that is not a box; and if no frame at all has a box.
    """
    frames = read_file_list(path, num_classes, root)
    digest = hashlib.sha256(frames.sha256.encode())
    parts, sizes = [], np.zeros((len(frames), 2), np.int32)
    for row, image in enumerate(frames.paths):
        where = f"{path}:{row + 1}"
        if frames.labels[row] != UNLABELLED:
            raise InputError(
                f"{where}: a class index after the path; the list of a detector has paths alone, and the classes are in"
                f" {label_path(image)}"
            )
        if not Path(image).is_file():
            raise InputError(f"{where}: no such file: {image}; correct it, or give the folder of the paths with --root")
        labels = label_path(image)
        parts.append(read_boxes(labels, num_classes) if labels.exists() else np.zeros(0, BOX))
        digest.update(len(parts[-1]).to_bytes(4) + parts[-1].tobytes())
        with contextlib.suppress(FrameError):  # whoever reads the frame reports it
            sizes[row] = read_size(image)
    starts = np.cumsum([0, *map(len, parts)])
    if not starts[-1]:
        raise InputError(
            f"{path}: no frame has a box; the labels of {frames.paths[0]} were looked for in"
            f" {label_path(frames.paths[0])}; tool/import_boxes.py converts other formats"
        )
    boxes = FrameBoxes(np.arange(len(frames)), sizes, starts, np.concatenate(parts))
    known = {each.name: getattr(frames, each.name) for each in fields(FileList)}
    return BoxList(**known | {"sha256": digest.hexdigest()}, boxes=boxes)


def without_boxes(count: int) -> FrameBoxes:
    """`count` frames whose boxes and sizes are not known."""
    nothing = np.zeros(count + 1, np.int64), np.zeros(0, BOX)
    return FrameBoxes(np.arange(count), np.zeros((count, 2), np.int32), *nothing)

"""A tar of images as a list of frames, read in place and in any order."""

import hashlib
import os
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np

from game_classifier.errors import InputError
from game_classifier.frames.files import MAX_BYTES
from game_classifier.frames.status import FrameError, FrameStatus
from game_classifier.lists.filelist import UNLABELLED, FileList
from game_classifier.lists.folders import is_image_name


@dataclass(frozen=True, kw_only=True)
class TarList(FileList):
    """The images of a tar in its own order, without labels; `paths` are TAR/MEMBER."""

    file: BinaryIO  # closed when the list is no longer used; reads by position need no lock
    offsets: np.ndarray  # int64 [N], where each image's bytes begin
    sizes: np.ndarray  # int64 [N]

    def is_current(self) -> bool:
        """Whether the tar is unchanged since it was indexed."""
        try:
            return read_tar_list(self.source).sha256 == self.sha256
        except InputError:
            return False

    def read(self, row: int) -> bytes:
        """The bytes of an image, from any thread; raises FrameError."""
        size = int(self.sizes[row])
        if size > MAX_BYTES:
            raise FrameError(FrameStatus.TOO_LARGE)
        try:
            return os.pread(self.file.fileno(), size, int(self.offsets[row]))
        except OSError:
            raise FrameError(FrameStatus.UNREADABLE) from None


def read_tar_list(path: Path) -> TarList:
    """Index a tar; skip members that are not files or do not have the name of an image.

    Raises InputError when it is not a tar, when it is compressed (frames could not be read one by one) or damaged,
    and when it holds no images.
    """
    names, offsets, sizes = [], [], []
    try:
        with tarfile.open(path, "r:") as archive:
            for member in archive:
                if member.isreg() and is_image_name(member.name):
                    names.append(member.name)
                    offsets.append(member.offset_data)
                    sizes.append(member.size)
    except (tarfile.TarError, EOFError, OSError) as error:
        raise InputError(
            f"{path}: not an uncompressed tar that can be read to its end ({error}); make it again without compression"
        ) from None
    if not names:
        raise InputError(f"{path}: holds no images; give a tar with image files in it")
    identity = "\n".join([str(path.stat().st_mtime_ns), *map(" ".join, zip(names, map(str, sizes), strict=True))])
    return TarList(
        path,
        [f"{path}/{name}" for name in names],
        np.full(len(names), UNLABELLED, np.int32),
        hashlib.sha256(identity.encode("utf-8", "surrogateescape")).hexdigest(),
        file=path.open("rb"),
        offsets=np.array(offsets, np.int64),
        sizes=np.array(sizes, np.int64),
    )

"""The second array of a list: boxes that are ready in any order, written in the order of the rows."""

import os
import tempfile
import threading
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np

BYTES_AT_A_TIME = 2**22


class BoxFile:
    """Boxes on their way into LIST.boxes.npy; threads may add those of any rows.

    They wait in a file without a name, which the system removes even if this process is killed. The memory does not
    grow with them.
    """

    def __init__(self, folder: Path, dtype: np.dtype) -> None:
        self.dtype = dtype
        self.file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115  closed by __exit__
        self.adding = threading.Lock()
        self.parts: list[tuple[int, int, int]] = []  # (first row, offset in bytes, bytes)
        self.size = 0  # of all parts, in bytes

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.file.close()

    def __len__(self) -> int:
        return self.size // self.dtype.itemsize

    def add(self, start: int, boxes: np.ndarray) -> None:
        """Add the boxes of the rows from `start` on, up to the next part's."""
        data = boxes.tobytes()
        with self.adding:
            self.file.write(data)
            self.parts.append((start, self.size, len(data)))
            self.size += len(data)

    def write(self, path: Path) -> None:
        """Write all of them into the npy file `path`, in the order of the rows."""
        self.file.flush()
        header = {"descr": np.lib.format.dtype_to_descr(self.dtype), "fortran_order": False, "shape": (len(self),)}
        with path.open("wb") as array:
            np.lib.format.write_array_header_1_0(array, header)
            for _, offset, size in sorted(self.parts):
                for begin in range(offset, offset + size, BYTES_AT_A_TIME):
                    wanted = min(BYTES_AT_A_TIME, offset + size - begin)
                    array.write(os.pread(self.file.fileno(), wanted, begin))

"""Running compiled files (.pt2) of torch.export and AOTInductor."""

import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from game_classifier.errors import InputError
from game_classifier.runtime.metadata import META_FILE, Metadata, read_metadata
from game_classifier.runtime.outputs import Answers, join_outputs


def load_compiled(path: Path) -> tuple[Callable[[np.ndarray], Answers], Metadata]:
    """Read a file; raises InputError for a file of another tool, another format version or another machine.

    The file holds machine code that will run, so load only files that you trust. Its metadata is read first.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            names = [name for name in archive.namelist() if name.endswith(f"/extra/{META_FILE}")]
            metadata = read_metadata(path, archive.read(names[0]).decode() if names else None)
        run = torch._inductor.aoti_load_package(str(path))
    except (zipfile.BadZipFile, RuntimeError, OSError) as error:
        reason = next(iter(str(error).strip().splitlines()), "")[:120]
        raise InputError(f"{path}: not a compiled file for this machine ({reason}); convert again here") from None

    def infer(frames: np.ndarray) -> Answers:
        with torch.inference_mode():
            outputs = run(torch.from_numpy(frames))
            return join_outputs(
                [each.numpy() for each in ([outputs] if isinstance(outputs, torch.Tensor) else outputs)]
            )

    return infer, metadata

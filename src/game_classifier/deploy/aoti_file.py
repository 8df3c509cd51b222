"""Compiled files (.pt2) of torch.export and AOTInductor: for machines like the one that compiled them only."""

import shutil
import tempfile
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import nn

from game_classifier.data.frames import Preprocessing
from game_classifier.deploy.metadata import META_FILE, Metadata, read_metadata
from game_classifier.errors import InputError
from game_classifier.models.fold import FrameClassifier
from game_classifier.storage import replacing

MOST_FRAMES = 4096  # of a batch: the compiler wants a bound


def compile_network(network: nn.Module, preprocessing: Preprocessing) -> bytes:
    """Compile a folded network: uint8 RGB [N, height, width, 3] -> probabilities [N, C]. Returns the file's bytes.

    Raises InputError when this machine has no C++ compiler.
    """
    if not (shutil.which("g++") or shutil.which("clang++") or shutil.which("c++")):
        raise InputError("format pt2: needs a C++ compiler; install g++, or leave the format out")
    example = torch.zeros(2, preprocessing.height, preprocessing.width, 3, dtype=torch.uint8)
    module = FrameClassifier(network, preprocessing).eval()
    batch = torch.export.Dim("n", min=1, max=MOST_FRAMES)
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings(action="ignore"), torch.no_grad():
        path = Path(folder) / "compiled.pt2"
        program = torch.export.export(module, (example,), dynamic_shapes=({0: batch},))
        torch._inductor.aoti_compile_and_package(program, package_path=str(path))
        return path.read_bytes()


def save_compiled(path: Path, compiled: bytes, texts: dict[str, str]) -> None:
    """Write the file in one step, with `texts` as further files in the archive that it is."""
    with replacing(path) as temporary:
        temporary.write_bytes(compiled)
        with zipfile.ZipFile(temporary, "a") as archive:
            root = archive.namelist()[0].partition("/")[0]
            for name, text in texts.items():
                archive.writestr(f"{root}/extra/{name}", text)


def load_compiled(path: Path) -> tuple[Callable[[np.ndarray], np.ndarray], Metadata]:
    """Read a file; raises InputError when it is none of ours, or of another format version or machine.

    It holds machine code, which runs: its metadata is read first, but only a file from a known hand is safe.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            names = [name for name in archive.namelist() if name.endswith(f"/extra/{META_FILE}")]
            metadata = read_metadata(path, archive.read(names[0]).decode() if names else None)
        run = torch._inductor.aoti_load_package(str(path))
    except (zipfile.BadZipFile, RuntimeError, OSError) as error:
        reason = next(iter(str(error).strip().splitlines()), "")[:120]
        raise InputError(f"{path}: not a compiled file for this machine ({reason}); convert it here again") from None

    def classify(frames: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            return run(torch.from_numpy(frames)).numpy()

    return classify, metadata

"""Making compiled files (.pt2) with torch.export and AOTInductor; they run only on machines like this one."""

import shutil
import tempfile
import warnings
import zipfile
from pathlib import Path

import torch
from torch import nn

from game_classifier.errors import InputError
from game_classifier.frames.decode import Preprocessing
from game_classifier.models.frame_network import frame_network, with_outputs
from game_classifier.storage import replacing

MOST_FRAMES = 4096  # of a batch: the compiler needs a bound


def compile_network(network: nn.Module, preprocessing: Preprocessing) -> bytes:
    """Compile a network of `answering`: uint8 RGB [N, height, width, 3] -> answers. Returns the file's bytes.

    Raises InputError when this machine has no C++ compiler.
    """
    if not (shutil.which("g++") or shutil.which("clang++") or shutil.which("c++")):
        raise InputError("format pt2: needs a C++ compiler; install g++, or leave the format out")
    example = torch.zeros(2, preprocessing.height, preprocessing.width, 3, dtype=torch.uint8)
    module = frame_network(with_outputs(network), preprocessing).eval()
    batch = torch.export.Dim("n", min=1, max=MOST_FRAMES)
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings(action="ignore"), torch.no_grad():
        path = Path(folder) / "compiled.pt2"
        program = torch.export.export(module, (example,), dynamic_shapes=({0: batch},))
        torch._inductor.aoti_compile_and_package(program, package_path=str(path))
        return path.read_bytes()


def save_compiled(path: Path, compiled: bytes, texts: dict[str, str]) -> None:
    """Write the file, which is an archive, in one step, with `texts` as additional files in it."""
    with replacing(path) as temporary:
        temporary.write_bytes(compiled)
        with zipfile.ZipFile(temporary, "a") as archive:
            root = archive.namelist()[0].partition("/")[0]
            for name, text in texts.items():
                archive.writestr(f"{root}/extra/{name}", text)

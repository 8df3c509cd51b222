"""One way to run a classifier, whatever file it comes from."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import nn

from game_classifier.data.frames import Preprocessing
from game_classifier.deploy.metadata import Metadata
from game_classifier.deploy.torchscript import load_torchscript
from game_classifier.device import choose_device, choose_threads, multiplies_bf16
from game_classifier.errors import InputError
from game_classifier.models.checkpoint import load_checkpoint
from game_classifier.models.fold import FrameClassifier, InBFloat16, fold

SUFFIXES = {
    ".pt": "TorchScript",
    ".pth": "PyTorch",
    ".onnx": "ONNX Runtime",
    ".xml": "OpenVINO",
    ".pt2": "AOTInductor",
}
PRECISIONS = ("auto", "fp32", "bf16")


@dataclass(frozen=True)
class Classifier:
    """A callable: frames in, probabilities out, with what is needed to prepare the one and name the other."""

    source: Path
    class_names: tuple[str, ...]
    preprocessing: Preprocessing
    classify: Callable[[np.ndarray], np.ndarray]
    runtime: str  # the library that runs it
    precision: str  # it really runs in
    device: str

    def __call__(self, frames: np.ndarray) -> np.ndarray:
        """uint8 RGB [N, H, W, 3] -> float32 probabilities [N, C].

        H and W are those of `preprocessing`; a file that resizes by itself takes others too.
        """
        return self.classify(frames)

    def __str__(self) -> str:
        return f"{self.source} by {self.runtime} in {self.precision} on {self.device}"

    def sha256(self) -> str:
        """Of the file, hex."""
        with self.source.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()


def load_classifier(
    path: Path, device_name: str = "auto", precision: str = "auto", threads: int | None = None
) -> Classifier:
    """Load a checkpoint (.pth), whose network is folded on the way, or a deployed file (.pt, .onnx, .xml, .pt2).

    `precision` is fp32, bf16 or auto: what the file was made in, and for OpenVINO bf16 where the processor
    multiplies in it and the file's own gate passed it. `threads` is the number that the network runs in.
    Raises InputError for any other file, and for a precision or device that the file cannot run in.
    """
    if path.suffix not in SUFFIXES:
        raise InputError(f"{path}: give a checkpoint (.pth) or a deployed file (.pt, .onnx, .xml, .pt2)")
    if not path.is_file():
        raise InputError(f"{path}: no such file; src/main_convert.py writes NETWORK_cpp_deploy.pt and others")
    runtime = SUFFIXES[path.suffix]
    if path.suffix in (".pt", ".pth"):
        device = choose_device(device_name)
        load = _load_torchscript if path.suffix == ".pt" else _load_checkpoint
        module, described, runs_in = load(path, device, precision)
        classify = _on_device(module, device)
        return Classifier(path, described.class_names, described.preprocessing, classify, runtime, runs_in, str(device))
    if device_name not in ("auto", "cpu"):
        raise InputError(f"{path}: {runtime} runs on the CPU here; leave --device out, or give the .pt file")
    threads = choose_threads(threads)
    load = {".onnx": _load_onnx, ".xml": _load_openvino, ".pt2": _load_compiled}[path.suffix]
    classify, metadata, runs_in = load(path, precision, threads)
    return Classifier(path, metadata.class_names, metadata.preprocessing, classify, runtime, runs_in, "cpu")


def _on_device(module: nn.Module, device: torch.device) -> Callable[[np.ndarray], np.ndarray]:
    def classify(frames: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            return module(torch.from_numpy(frames).to(device)).cpu().numpy()

    return classify


def _load_checkpoint(path: Path, device: torch.device, precision: str):
    checkpoint = load_checkpoint(path)
    network = fold(checkpoint.build())
    runs_in = "fp32" if precision == "auto" else precision
    network = InBFloat16(network) if runs_in == "bf16" else network
    return FrameClassifier(network, checkpoint.preprocessing).to(device).eval(), checkpoint, runs_in


def _load_torchscript(path: Path, device: torch.device, precision: str):
    module, metadata = load_torchscript(path, device)
    _require_precision(path, metadata.precision, precision)
    return module, metadata, metadata.precision


def _load_onnx(path: Path, precision: str, threads: int):
    from game_classifier.deploy.onnx_file import load_onnx  # onnxruntime takes a second to import

    classify, metadata = load_onnx(path, threads)
    _require_precision(path, metadata.precision, precision)
    return classify, metadata, metadata.precision


def _load_compiled(path: Path, precision: str, threads: int):
    from game_classifier.deploy.aoti_file import load_compiled  # torch's compiler takes a second to import

    classify, metadata = load_compiled(path)
    _require_precision(path, metadata.precision, precision)
    return classify, metadata, metadata.precision


def _load_openvino(path: Path, precision: str, threads: int):
    from game_classifier.deploy.openvino_file import load_openvino  # openvino takes a second to import

    return load_openvino(path, lambda metadata: _choose_precision(path, metadata, precision), threads)


def _choose_precision(path: Path, metadata: Metadata, wanted: str) -> str:
    """What OpenVINO is asked for."""
    if metadata.precision != "fp32":
        _require_precision(path, metadata.precision, wanted)
        return "fp32"  # of what is not quantized
    if wanted != "auto":
        return wanted
    passed = any(
        row.step.startswith("OpenVINO") and row.precision == "bf16" and not row.complaint for row in metadata.rows
    )
    return "bf16" if passed and multiplies_bf16() else "fp32"


def _require_precision(path: Path, held: str, wanted: str) -> None:
    if wanted not in ("auto", held):
        raise InputError(f"{path}: holds a network in {held}; leave --precision out, or give a file in {wanted}")

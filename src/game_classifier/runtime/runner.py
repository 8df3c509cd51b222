"""One way to run a network from any kind of file."""

import contextlib
import hashlib
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import nn

from game_classifier.device import choose_device, choose_threads, multiplies_bf16
from game_classifier.errors import InputError
from game_classifier.frames.decode import Preprocessing
from game_classifier.models.checkpoint import Checkpoint, load_checkpoint
from game_classifier.models.fold import InBFloat16, fold
from game_classifier.models.frame_network import answering, frame_network, to_arrays
from game_classifier.models.refusals import Refusals
from game_classifier.models.zoo import require_classifier, require_detector
from game_classifier.runtime.metadata import Metadata
from game_classifier.runtime.outputs import Answers, join_outputs
from game_classifier.runtime.torchscript import load_torchscript

# uint8 [N, H, W, 3] -> the task's answers: of a classifier probabilities float32 [N, C], or [N, C + 1] with `known`; of
# a detector (boxes float32 [N, M, 4] as x1 y1 x2 y2 in pixels of these frames, scores float32 [N, M, C]), before NMS.
Infer = Callable[[np.ndarray], Answers]


@dataclass(frozen=True)
class Runner:
    """A callable: frames in, answers out. It also holds the preprocessing and the class names."""

    source: Path
    network: str
    class_names: tuple[str, ...]
    preprocessing: Preprocessing
    runtime: str  # the library that runs it
    precision: str  # that it really runs in
    device: str
    refusals: Refusals | None  # the thresholds of `known`; None: the network does not give it
    infer: Infer
    make_workers: Callable[[int, int], list[Infer]]

    def __call__(self, frames: np.ndarray) -> Answers:
        """uint8 RGB [N, H, W, 3] -> float32 probabilities [N, C], or a detector's boxes and scores.

        H and W are those of `preprocessing`; a file that resizes frames itself takes others too.
        """
        return self.answer(frames)[0]

    def answer(self, frames: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
        """(Probabilities float32 [N, C], `known` float32 [N]) of the same frames.

        `known` is the probability that a frame shows one of the classes at all, or None if the network was trained
        before there was this score. `refusals` has the thresholds below which frames are refused.
        """
        return self.split(self.infer(frames))

    def split(self, answers: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
        """What a worker returned, as `answer` returns it."""
        return (answers[:, :-1], answers[:, -1]) if self.refusals else (answers, None)

    def workers(self, count: int, batch_size: int) -> list[Infer]:
        """`count` callables, one for each thread of the caller; each runs in that thread alone.

        Each call takes exactly `batch_size` frames of the network's size. What it returns may change with the next
        call of the same one: a detector's scores are megabytes, which would take as long to copy as to look through.
        """
        return self.make_workers(count, batch_size)

    def __str__(self) -> str:
        return f"{self.source} with {self.runtime} in {self.precision} on {self.device}"

    def require_classifier(self) -> "Runner":
        """Return it; InputError if it is not a classifier's."""
        require_classifier(self.source, self.network)
        return self

    def require_detector(self) -> "Runner":
        """Return it; InputError if it is not a detector's."""
        require_detector(self.source, self.network)
        return self

    def sha256(self) -> str:
        """SHA-256 of the file, in hex."""
        with self.source.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()


def load_runner(path: Path, device_name: str = "auto", precision: str = "auto", threads: int | None = None) -> Runner:
    """Load a checkpoint (.pth), whose network is folded on the way, or a deployed file (.pt, .onnx, .xml, .pt2).

    `precision` is fp32, bf16 or auto: the file's own precision; OpenVINO files run in bf16 if the processor multiplies
    in bf16 and the file passed its gate in it. `threads` is the number of threads that the network runs in.
    Raises InputError for any other file, and for a precision or device that the file cannot run in.
    """
    if path.suffix not in LOADERS:
        raise InputError(f"{path}: give a checkpoint (.pth) or a deployed file (.pt, .onnx, .xml, .pt2)")
    if not path.is_file():
        raise InputError(f"{path}: no such file; src/main_convert.py writes NETWORK_cpp_deploy.pt and others")
    runtime, load = LOADERS[path.suffix]
    device = choose_device(device_name) if path.suffix in (".pt", ".pth") else torch.device("cpu")
    if device.type == "cpu" and device_name not in ("auto", "cpu"):
        raise InputError(f"{path}: {runtime} runs on the CPU here; leave --device out, or give the .pt file")
    described, runs_in, infer, make_workers = load(path, device, precision, choose_threads(threads))
    return Runner(
        path,
        described.network,
        described.class_names,
        described.preprocessing,
        runtime,
        runs_in,
        str(device),
        described.refusals,
        infer,
        make_workers,
    )


# The result of a loader: the owner of names and preprocessing, the precision, and the classifier's two callables.
Loaded = tuple[Metadata | Checkpoint, str, Infer, Callable[[int, int], list[Infer]]]


def _load_checkpoint(path: Path, device: torch.device, precision: str, threads: int) -> Loaded:
    checkpoint = load_checkpoint(path)
    network = fold(checkpoint.build())
    runs_in = "fp32" if precision == "auto" else precision
    network = InBFloat16(network) if runs_in == "bf16" else network
    module = frame_network(answering(network), checkpoint.preprocessing).to(device).eval()
    return checkpoint, runs_in, *_of_module(module, device)


def _load_torchscript(path: Path, device: torch.device, precision: str, threads: int) -> Loaded:
    module, metadata = load_torchscript(path, device)
    _require_precision(path, metadata.precision, precision)
    return metadata, metadata.precision, *_of_module(module, device)


def _of_module(module: nn.Module, device: torch.device) -> tuple[Infer, Callable[[int, int], list[Infer]]]:
    one_at_a_time = threading.Lock() if device.type == "cuda" else contextlib.nullcontext()

    gives_both = getattr(module, "answer", None)  # a TorchScript file's, beside its probabilities

    def infer(frames: np.ndarray) -> Answers:
        with torch.inference_mode(), one_at_a_time:
            pixels = torch.from_numpy(frames).to(device)
            if gives_both:
                return join_outputs(to_arrays(gives_both(pixels)))
            return to_arrays(module(pixels))

    return infer, lambda count, batch_size: [infer] * count


def _load_onnx(path: Path, device: torch.device, precision: str, threads: int) -> Loaded:
    from game_classifier.runtime.onnx_file import load_onnx  # onnxruntime takes a second to import

    infer, metadata = load_onnx(path, threads)
    _require_precision(path, metadata.precision, precision)
    return metadata, metadata.precision, infer, lambda count, batch_size: [load_onnx(path, 1)[0]] * count


def _load_compiled(path: Path, device: torch.device, precision: str, threads: int) -> Loaded:
    from game_classifier.runtime.compiled_file import load_compiled  # torch's compiler takes a second to import

    infer, metadata = load_compiled(path)
    _require_precision(path, metadata.precision, precision)
    return metadata, metadata.precision, infer, lambda count, batch_size: [infer] * count


def _load_openvino(path: Path, device: torch.device, precision: str, threads: int) -> Loaded:
    from game_classifier.runtime import openvino_file  # openvino takes a second to import

    model, metadata = openvino_file.read_openvino(path)
    wanted = _choose_precision(path, metadata, precision)
    compiled = openvino_file.compile_openvino(model, wanted, threads)
    (infer,) = openvino_file.requests(compiled, 1, copies=True)

    def make_workers(count: int, batch_size: int) -> list[Infer]:
        return openvino_file.requests(openvino_file.compile_openvino(model, wanted, count, count, batch_size), count)

    return metadata, openvino_file.running_precision(compiled), infer, make_workers


def _choose_precision(path: Path, metadata: Metadata, wanted: str) -> str:
    """The precision to ask OpenVINO for."""
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


LOADERS: dict[str, tuple[str, Callable[[Path, torch.device, str, int], Loaded]]] = {
    ".pth": ("PyTorch", _load_checkpoint),
    ".pt": ("TorchScript", _load_torchscript),
    ".onnx": ("ONNX Runtime", _load_onnx),
    ".xml": ("OpenVINO", _load_openvino),
    ".pt2": ("AOTInductor", _load_compiled),
}

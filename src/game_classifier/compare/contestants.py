"""The networks of a comparison: one checkpoint each, converted into every format that this machine can make."""

import json
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from game_classifier.deploy.export import CONVERSION_FILE
from game_classifier.device import multiplies_bf16
from game_classifier.errors import InputError
from game_classifier.models.checkpoint import Checkpoint, load_checkpoint
from game_classifier.models.zoo import require_classifier
from game_classifier.runtime.fastest import fastest_file
from game_classifier.runtime.runner import Runner, load_runner

CHECKPOINT = ".pth"
# Label -> (end of the file's name after the network's, precision that it is asked for).
RUNTIMES = {
    "PyTorch fp32": (CHECKPOINT, "fp32"),
    "PyTorch bf16": (CHECKPOINT, "bf16"),
    "TorchScript fp32": ("_cpp_deploy.pt", "fp32"),
    "TorchScript bf16": ("_cpp_deploy_bf16.pt", "bf16"),
    "ONNX Runtime fp32": (".onnx", "fp32"),
    "OpenVINO fp32": ("_openvino.xml", "fp32"),
    "OpenVINO bf16": ("_openvino.xml", "bf16"),
    "OpenVINO INT8": ("_openvino_int8.xml", "int8"),
}


@dataclass(frozen=True)
class Contestant:
    """A trained network and the folder of its conversion."""

    name: str  # of the network
    path: Path  # of the checkpoint
    checkpoint: Checkpoint
    folder: Path
    files: frozenset[str]  # that passed the gate
    complaint: str  # which formats missed the gate, and why; empty for none

    def file(self, runtime: str) -> Path:
        """The file that the runtime loads."""
        ending, _ = RUNTIMES[runtime]
        return self.path if ending == CHECKPOINT else self.folder / f"{self.name}{ending}"

    def megabytes(self, runtime: str) -> float | None:
        """Size of the file with its weights; None for a checkpoint, which holds the training form."""
        path = self.file(runtime)
        if path == self.path:
            return None
        files = [path, path.with_suffix(".bin")] if path.suffix == ".xml" else [path]
        return sum(each.stat().st_size for each in files) / 1e6

    def load(self, runtime: str, threads: int) -> Runner | None:
        """The classifier of one runtime; None if its file missed the gate and does not exist."""
        path = self.file(runtime)
        precision = RUNTIMES[runtime][1]
        if (path != self.path and path.name not in self.files) or (precision == "bf16" and not multiplies_bf16()):
            return None
        return load_runner(path, "cpu", precision, threads)

    def default(self) -> Runner:
        """The classifier that src/predict_repvgg.py runs by default on a CPU."""
        return load_runner(fastest_file(self.file("TorchScript fp32"), "cpu"), "cpu")


def read_contestants(paths: Sequence[Path], folder: Path, convert: Sequence[str]) -> list[Contestant]:
    """Load the checkpoints, and convert each into `folder`/NETWORK unless its conversion is there.

    `convert` is the command that does it, without checkpoint and folder. Raises InputError for
    two checkpoints of one network, for other classes than the first one's, and for a file that is not a classifier's
    checkpoint.
    """
    checkpoints: list[Checkpoint] = []
    for path in paths:
        checkpoint = load_checkpoint(path)
        require_classifier(path, checkpoint.network)
        if any(checkpoint.network == other.network for other in checkpoints):
            raise InputError(f"{path}: a second checkpoint of {checkpoint.network}; compare different networks")
        if checkpoints and checkpoint.class_names != checkpoints[0].class_names:
            raise InputError(
                f"{path}: its classes, or their order, differ from those of {paths[0]}; train all networks on the same"
                " data"
            )
        checkpoints.append(checkpoint)
    contestants = []
    for path, checkpoint in zip(paths, checkpoints, strict=True):
        into = folder / checkpoint.network
        conversion = _convert(path, checkpoint, into, convert)
        files = frozenset(conversion["files"])
        contestants.append(Contestant(checkpoint.network, path, checkpoint, into, files, conversion["complaint"]))
    return contestants


def _convert(path: Path, checkpoint: Checkpoint, folder: Path, command: Sequence[str]) -> dict[str, Any]:
    """The contents of conversion.json."""
    weights = checkpoint.weights_sha256()
    if conversion := _read_conversion(folder, weights):
        print(f"{folder}: already converted", flush=True)
        return conversion
    print(f"{folder}: converting {path}", flush=True)
    # A process of its own: quantization leaves memory and threads behind. It ends with 2, too, when a
    # format misses the gate; that one is then left out of the tables.
    subprocess.run([*command, "-w", str(path), "-o", str(folder)], stdout=subprocess.DEVNULL)
    conversion = _read_conversion(folder, weights)
    if conversion is None:
        raise InputError(f"{path}: could not be converted; the reason is above")
    return conversion


def _read_conversion(folder: Path, weights_sha256: str) -> dict[str, Any] | None:
    """conversion.json; None unless it is of these weights, and the TorchScript file passed the gate."""
    try:
        conversion = json.loads((folder / CONVERSION_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    deployed = f"{conversion['network']}{RUNTIMES['TorchScript fp32'][0]}"
    return conversion if conversion["weights_sha256"] == weights_sha256 and deployed in conversion["files"] else None

"""The deploy file: TorchScript with its metadata inside. TorchScript is touched in this module only.

TorchScript is deprecated in torch, but it is what a libtorch program loads today.
"""

import io
import json
import warnings
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from game_classifier.data.classes import class_hash
from game_classifier.data.frames import Preprocessing
from game_classifier.errors import InputError
from game_classifier.models.checkpoint import Checkpoint
from game_classifier.models.fold import FrameClassifier
from game_classifier.storage import replacing

META_FILE = "meta.json"
FORMAT = "game_classifier.deploy"
FORMAT_VERSION = 1


@dataclass(frozen=True)
class Metadata:
    """What a deploy file says of itself, as JSON in its extra file `meta.json`."""

    network: str
    class_names: tuple[str, ...]  # in index order
    preprocessing: Preprocessing  # all of it happens inside the file; here to be read
    epoch: int
    metrics: dict[str, float]  # of the checkpoint, on its validation list, in 0..1

    @classmethod
    def of_checkpoint(cls, checkpoint: Checkpoint) -> "Metadata":
        """The metadata that a checkpoint's deploy file carries."""
        return cls(
            checkpoint.network,
            checkpoint.class_names,
            checkpoint.preprocessing,
            checkpoint.epoch,
            checkpoint.metrics,
        )

    def to_json(self) -> str:
        """As the deploy file holds it."""
        values: dict[str, Any] = {
            "format": FORMAT,
            "format_version": FORMAT_VERSION,
            **asdict(self),
            "preprocessing": self.preprocessing.to_dict(),
            "class_hash": class_hash(self.class_names),
            "input": "uint8 RGB [N, H, W, 3], any H and W",
            "output": "float32 probabilities [N, C]",
            "precision": "fp32",
            "torch": torch.__version__,
        }
        return json.dumps(values, ensure_ascii=False, indent=2)


def save_artifact(path: Path, network: nn.Module, metadata: Metadata) -> None:
    """Write the deploy file of a folded network in one step."""
    size = (1, 3, metadata.preprocessing.height, metadata.preprocessing.width)
    with warnings.catch_warnings(), torch.inference_mode():
        warnings.filterwarnings("ignore", message=".*torch.jit.*")
        # Traced, since networks of other libraries cannot all be scripted; the wrapper is scripted, since
        # resizing depends on the frame. Two sizes of batch prove that the trace holds for any.
        example = torch.zeros(size).contiguous(memory_format=torch.channels_last)
        traced = torch.jit.trace(network, example, check_inputs=[(example.expand(3, -1, -1, -1),)])
        scripted = torch.jit.script(FrameClassifier(traced, metadata.preprocessing).eval())
        frozen = torch.jit.freeze(scripted)
        # By way of memory: given a path, torch would keep the temporary name inside, and equal files would differ.
        buffer = io.BytesIO()
        torch.jit.save(frozen, buffer, _extra_files={META_FILE: metadata.to_json().encode()})
    with replacing(path) as temporary:
        temporary.write_bytes(buffer.getvalue())


def load_artifact(path: Path, device: torch.device) -> tuple[torch.jit.ScriptModule, Metadata]:
    """Read a deploy file; raises InputError when it is none of ours, or of another format version."""
    if not path.is_file():
        raise InputError(f"{path}: no such file; src/main_convert.py writes NETWORK_cpp_deploy.pt")
    extra = {META_FILE: ""}
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=".*torch.jit.*")
            module = torch.jit.load(str(path), map_location=device, _extra_files=extra)
    except (RuntimeError, ValueError) as error:
        reason = str(error).strip().splitlines()[0][:120]
        raise InputError(
            f"{path}: not a TorchScript file, or a damaged one ({reason}); convert the checkpoint again"
        ) from None
    if not extra[META_FILE]:
        raise InputError(
            f"{path}: a TorchScript file without our metadata; convert a checkpoint with src/main_convert.py"
        )
    values = json.loads(extra[META_FILE])
    if (values.get("format"), values.get("format_version")) != (FORMAT, FORMAT_VERSION):
        raise InputError(
            f"{path}: deploy format {values.get('format')} {values.get('format_version')}, this version reads"
            f" {FORMAT} {FORMAT_VERSION}; convert the checkpoint again"
        )
    metadata = Metadata(
        values["network"],
        tuple(values["class_names"]),
        Preprocessing.from_dict(values["preprocessing"]),
        values["epoch"],
        values["metrics"],
    )
    return module, metadata

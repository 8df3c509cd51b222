"""TorchScript files (.pt), which a libtorch program loads. TorchScript is touched in this module only.

It is deprecated in torch, but it is what libtorch loads today.
"""

import io
import warnings
from pathlib import Path

import torch
from torch import nn

from game_classifier.data.frames import Preprocessing
from game_classifier.deploy.metadata import META_FILE, Metadata, read_metadata
from game_classifier.errors import InputError
from game_classifier.models.fold import FrameClassifier
from game_classifier.storage import replacing


def script(network: nn.Module, preprocessing: Preprocessing) -> torch.jit.ScriptModule:
    """A folded network with resizing, normalising and softmax around it, frozen."""
    size = (1, 3, preprocessing.height, preprocessing.width)
    with warnings.catch_warnings(), torch.inference_mode():
        warnings.filterwarnings("ignore", message=".*torch.jit.*")
        # Traced, since networks of other libraries cannot all be scripted; the wrapper is scripted, since
        # resizing depends on the frame. Two sizes of batch prove that the trace holds for any.
        example = torch.zeros(size).contiguous(memory_format=torch.channels_last)
        traced = torch.jit.trace(network, example, check_inputs=[(example.expand(3, -1, -1, -1),)])
        scripted = torch.jit.script(FrameClassifier(traced, preprocessing).eval())
        return torch.jit.freeze(scripted)


def save_torchscript(path: Path, module: torch.jit.ScriptModule, texts: dict[str, str]) -> None:
    """Write the file in one step, with `texts` as extra files in it."""
    # By way of memory: given a path, torch would keep the temporary name inside, and equal files would differ.
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*torch.jit.*")
        torch.jit.save(module, buffer, _extra_files={name: text.encode() for name, text in texts.items()})
    with replacing(path) as temporary:
        temporary.write_bytes(buffer.getvalue())


def load_torchscript(path: Path, device: torch.device) -> tuple[torch.jit.ScriptModule, Metadata]:
    """Read a file; raises InputError when it is none of ours, or of another format version."""
    extra = {META_FILE: ""}
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=".*torch.jit.*")
            module = torch.jit.load(str(path), map_location=device, _extra_files=extra)
    except (RuntimeError, ValueError) as error:
        reason = next(iter(str(error).strip().splitlines()), "")[:120]
        raise InputError(
            f"{path}: not a TorchScript file, or a damaged one ({reason}); convert the checkpoint again"
        ) from None
    return module, read_metadata(path, extra[META_FILE])

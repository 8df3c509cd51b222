"""Loading TorchScript files (.pt), the format that a libtorch program loads.

TorchScript is deprecated in torch: only this module and deploy/torchscript.py touch it.
"""

import warnings
from pathlib import Path

import torch

from game_classifier.errors import InputError
from game_classifier.runtime.metadata import META_FILE, Metadata, read_metadata


def load_torchscript(path: Path, device: torch.device) -> tuple[torch.jit.ScriptModule, Metadata]:
    """Read a file; raises InputError for a file of another tool or another format version."""
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

"""Checkpoints: one file of tensors and plain values that rebuilds its network by itself."""

import hashlib
import sys
import warnings
from dataclasses import MISSING, dataclass, field, fields
from pathlib import Path
from typing import Any

import torch
from torch import nn

from game_classifier.errors import InputError
from game_classifier.frames.decode import Preprocessing
from game_classifier.lists.classes import class_hash
from game_classifier.models.known import Known, add_known
from game_classifier.models.refusals import Refusals
from game_classifier.models.zoo import build_model, head_keys
from game_classifier.storage import replacing

FORMAT = "game_classifier.checkpoint"
FORMAT_VERSION = 1


@dataclass
class Checkpoint:
    """A trained network with everything needed to use it, or to continue its training."""

    network: str  # a name that build_model knows
    class_names: tuple[str, ...]  # in index order: the checkpoint defines the class order, never the folders
    preprocessing: Preprocessing
    state_dict: dict[str, torch.Tensor]  # of the training form
    epoch: int  # epochs done
    metrics: dict[str, float] = field(default_factory=dict)  # on the validation list, in 0..1
    config: dict[str, Any] = field(default_factory=dict)  # the recipe
    data: dict[str, str] = field(
        default_factory=dict
    )  # folder and root of the data set, SHA-256 of its validation list
    temperature: float | None = None  # divides the logits; None: not calibrated
    known: Known | None = None  # tells frames of no known game; None: the network does not
    training: dict[str, Any] | None = None  # optimiser and the like, in the last checkpoint only
    path: Path | None = None  # the file it was read from, for messages; not in the file

    def build(self) -> nn.Module:
        """Return the network with its weights, in evaluation mode; InputError when they do not fit it.

        The rows of the classes are divided by the temperature, and with `known` the network appends that score to its
        logits, float [N, C + 1]; so all that is made of the network has both.
        """
        network = build_model(self.network, len(self.class_names))
        try:
            network.load_state_dict(self.state_dict, strict=True)
        except RuntimeError as error:
            raise InputError(
                f"{self.path or 'the checkpoint'}: its weights do not fit {self.network} with"
                f" {len(self.class_names)} classes ({_first_line(error)}); train it again with this version"
            ) from None
        if self.temperature is not None:
            state = network.state_dict()
            for key in head_keys(network, state):
                state[key] /= self.temperature
        if self.known is not None:
            add_known(network, self.known.head)
        return network.eval()

    @property
    def refusals(self) -> Refusals | None:
        """The thresholds of the `known` score; None if the network does not give it."""
        return self.known.refusals if self.known else None

    def weights_sha256(self) -> str:
        """SHA-256 (hex) of all that `build` uses: tells two networks apart, whatever file holds them."""
        digest = hashlib.sha256()
        head = {f"known.{name}": value for name, value in self.known.head.items()} if self.known else {}
        for name, value in (self.state_dict | head).items():
            digest.update(f"{name} {value.dtype} {list(value.shape)}\n".encode())
            digest.update(value.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())
        if self.temperature is not None:
            digest.update(f"temperature {self.temperature!r}".encode())
        return digest.hexdigest()


def save_checkpoint(path: Path, checkpoint: Checkpoint) -> None:
    """Write `path` in one step; InputError if the disk is full, and then an earlier file stays unchanged."""
    values = {
        **{each.name: getattr(checkpoint, each.name) for each in fields(Checkpoint) if each.name != "path"},
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "class_names": list(checkpoint.class_names),
        "class_hash": class_hash(checkpoint.class_names),
        "preprocessing": checkpoint.preprocessing.to_dict(),
        "known": checkpoint.known.to_dict() if checkpoint.known else None,
    }
    # Into an open file: given a path, torch would keep the temporary name inside, and equal checkpoints would differ.
    try:
        with replacing(path) as temporary, temporary.open("wb") as file:
            torch.save(_canonical(values), file)
    except (OSError, RuntimeError) as error:
        cause = error if isinstance(error, OSError) else error.__context__  # torch hides the file's own error
        if not isinstance(cause, OSError):
            raise
        raise InputError(
            f"{path}: cannot be written ({cause.strerror}); the earlier file is unchanged;"
            " free some space, and continue with --resume"
        ) from None


def _canonical(value: Any) -> Any:
    """The same value, from which pickle makes the same bytes whether its parts were loaded or newly made.

    Pickle writes a string that it has met before, as the same object, as a reference to it.
    """
    if isinstance(value, str):
        return sys.intern(value)
    if isinstance(value, dict):
        return {_canonical(key): _canonical(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_canonical(each) for each in value]
    return value


def load_checkpoint(path: Path) -> Checkpoint:
    """Read a checkpoint onto the CPU; nothing in the file is ever executed (`weights_only`).

    Raises InputError if there is no such file, or if it is not a complete checkpoint of this tool.
    """
    if not path.is_file():
        raise InputError(f"{path}: no such checkpoint; src/main_train.py writes OUT/model/NETWORK_best.pth")
    try:
        with warnings.catch_warnings(action="ignore"):  # for a deployed file it advises torch.jit.load
            values = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch names no exceptions: a damaged file raises nearly any
        if "TorchScript" in str(error):
            raise InputError(
                f"{path}: a deployed file (TorchScript), not a checkpoint; give the .pth it was made from"
            ) from None
        raise InputError(
            f"{path}: not a checkpoint that can be read safely ({_first_line(error)}); give another one"
        ) from None
    if not isinstance(values, dict) or values.get("format") != FORMAT:
        held = ", ".join(sorted(map(str, values))[:4]) if isinstance(values, dict) else type(values).__name__
        raise InputError(
            f"{path}: not a checkpoint of this tool (it holds {held}); give a file that src/main_train.py wrote;"
            " src/main_convert.py takes others with --network and -c FILE"
        )
    if values.get("format_version") != FORMAT_VERSION:
        raise InputError(
            f"{path}: checkpoint format {values.get('format_version')}, this version reads {FORMAT_VERSION};"
            " use the version that wrote it"
        )
    needed = [each.name for each in fields(Checkpoint) if each.default_factory is MISSING and each.default is MISSING]
    missing = [name for name in needed if name not in values]
    if missing:
        raise InputError(f"{path}: not a complete checkpoint, it lacks {', '.join(missing)}; give another one")
    held = {each.name: values[each.name] for each in fields(Checkpoint) if each.name in values} | {"path": path}
    held["class_names"] = tuple(held["class_names"])
    held["preprocessing"] = Preprocessing.from_dict(held["preprocessing"])
    if held.get("known"):  # checkpoints from before there was the score have none
        held["known"] = Known.from_dict(held["known"])
    return Checkpoint(**held)


def _first_line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__)[:120]

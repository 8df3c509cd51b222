"""Start weights: files of RepVGG, YOLOv5, timm and torchvision, and checkpoints of this tool."""

import re
import warnings
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from game_classifier.errors import InputError
from game_classifier.models.checkpoint import FORMAT, Checkpoint, load_checkpoint
from game_classifier.models.foreign_names import SOURCES, Rule
from game_classifier.models.zoo import head_keys, library_of, trunk_of

SUFFIXES = (".pth.tar", ".pth", ".pt", ".safetensors", ".bin")
AVERAGED = ("state_dict_ema", "model_ema", "ema")  # timm; torchvision; DingXiaoH/RepVGG's main.py
CURRENT = ("state_dict", "model")
YOLOV5_MODULES = ("models.", "ultralytics.")  # where the classes in its pickled networks are from
TO_STATE_DICT = (
    'import torch; torch.save(torch.load("old.pt", "cpu", weights_only=False)["model"].float().state_dict(), "new.pth")'
)
WRAPPERS = ("module.", "_orig_mod.")  # DataParallel and its kin; torch.compile
DEPLOY = {"rbr_reparam", "branch_reparam", "reparam_conv"}  # the name of the folded convolution in each source


@dataclass(frozen=True)
class Loaded:
    """A description of the loaded weights for people."""

    source: Path
    kind: str  # whose names the weights had, such as "timm" or "this tool"
    head: str  # how the classifier was filled


def find_weights(path: Path, network: str) -> Path:
    """Return `path` if it is a file; of a folder, the one file in it whose name contains the network's name.

    Only letters and digits count, in either case: `RepVGG-A0-train.pth` is repvgg_a0. Deploy files are skipped
    if there is another one. Raises InputError for no such path, and for none or several such files.
    """
    if path.is_file():
        return path
    if not path.is_dir():
        raise InputError(f"{path}: no such file or folder; give a file of weights of {network}, or a folder with one")
    files = sorted(file for file in path.iterdir() if file.is_file() and file.name.lower().endswith(SUFFIXES))
    # RepVGG-B1g4 is another network than RepVGG-B1, RepYOLOv5s than YOLOv5s, and a detector than its classifier.
    wanted = re.compile(r"(?<!rep)" + re.escape(_letters_and_digits(network)) + r"(?!g\d|detector)")
    fitting = [file for file in files if wanted.search(_letters_and_digits(file.name))]
    fitting = [file for file in fitting if "deploy" not in file.name.lower()] or fitting
    if len(fitting) == 1:
        return fitting[0]
    found = _some(file.name for file in fitting or files) or f"no file that ends in {', '.join(SUFFIXES)}"
    wrong = "several files are" if fitting else "no file is"
    raise InputError(f"{path}: {wrong} named after {network} (found: {found}); give the file itself")


def load_weights(network: nn.Module, network_name: str, class_names: Sequence[str], path: Path) -> Loaded:
    """Fill `network`, the training form that `build_model(network_name, len(class_names))` made, from a file.

    Reads checkpoints of this tool, DingXiaoH/RepVGG, mmpretrain and Awesome-Backbones, YOLOv5, timm and torchvision: a
    dict of tensors, or a training checkpoint that holds one. Nothing in a file is executed. Every tensor of the
    network must be in the file with the same shape, and every tensor in the file must be used. The classifier is an
    exception: from a checkpoint of this tool, its rows are copied by class name; from other projects, it is copied only
    if it has the same number of rows, and else stays unchanged. So is a detector's head: it is copied only for the same
    classes. A detector also takes the trunk of a checkpoint of its family's classifier.

    Raises InputError, and leaves the network unchanged, if the file cannot be read safely, holds a deploy form or does
    not fit.
    """
    values = _read(path)
    if values.get("format") == FORMAT:
        checkpoint = load_checkpoint(path)
        if checkpoint.network == trunk_of(network_name):
            return _load_trunk(network, path, checkpoint)
        if checkpoint.network != network_name:
            raise InputError(f"{path}: a checkpoint of {checkpoint.network}; give one of {network_name}")
        kind, weights, known_classes = "this tool", checkpoint.state_dict, checkpoint.class_names
    else:
        kind, weights, known_classes = *_foreign_weights(path, values, network_name), None
    own = network.state_dict()
    heads = head_keys(network, own)
    _require_fit(path, network_name, own, weights, heads)
    head = _settle_head(path, own, weights, heads, known_classes, class_names)
    network.load_state_dict({**own, **weights}, strict=True)
    return Loaded(path, kind, head)


def _load_trunk(network: nn.Module, path: Path, checkpoint: Checkpoint) -> Loaded:
    """Fill a detector's trunk with that of a classifier; neck and head stay unchanged."""
    trunk = {
        key.removeprefix("trunk."): value for key, value in checkpoint.state_dict.items() if not key.startswith("head.")
    }
    network.trunk.load_state_dict(trunk, strict=True)
    return Loaded(path, f"this tool, the trunk of {checkpoint.network}", "new, as is the neck")


class _Unread:
    """Replaces a value beside the weights that this project does not need: it accepts anything and keeps nothing."""

    def __init__(self, *parts: Any) -> None:
        pass

    def __setstate__(self, state: Any) -> None:
        pass


class _UnreadDict:
    """The same for a dict: the unpickler fills it afterwards, which it does only for types that it knows."""

    def __new__(cls, *parts: Any) -> OrderedDict:
        return OrderedDict()


# What known tools keep beside the weights. With stand-ins for it, reading calls no code but torch's and this.
UNREAD = {
    "numpy.ndarray": _Unread,  # Awesome-Backbones' confusion matrices and means; numpy 1 and 2 differ in names
    "numpy.dtype": _Unread,
    "numpy.core.multiarray._reconstruct": _Unread,
    "numpy.core.multiarray.scalar": _Unread,
    "numpy._core.multiarray._reconstruct": _Unread,
    "numpy._core.multiarray.scalar": _Unread,
    "argparse.Namespace": _Unread,  # the options of timm's and torchvision's train.py
    "mmengine.logging.history_buffer.HistoryBuffer": _Unread,  # mmpretrain's log,
    "builtins.getattr": _Unread,  # and the methods in it
    "yacs.config.CfgNode": _UnreadDict,  # the recipe of DingXiaoH/RepVGG's main.py
}


def _stand_ins() -> list[type]:
    """Classes with the names of `UNREAD`: by module and name the unpickler finds what is allowed."""
    named = [(*full_name.rpartition("."), base) for full_name, base in UNREAD.items()]
    return [type(name, (base,), {"__module__": module}) for module, _, name, base in named]


def _read(path: Path) -> Mapping[str, Any]:
    """The dict in a file, on the CPU."""
    if not path.is_file():
        raise InputError(f"{path}: no such file of weights; give one that exists")
    try:
        if path.name.lower().endswith(".safetensors"):
            values = load_file(path)
        else:
            # Its warnings give wrong advice here, such as torch.jit.load.
            with warnings.catch_warnings(action="ignore"), torch.serialization.safe_globals(_stand_ins()):
                values = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch names no exceptions: a damaged file raises nearly any
        raise InputError(f"{path}: {_why_unreadable(error)}") from None
    if not isinstance(values, Mapping):
        raise InputError(f"{path}: holds a {type(values).__name__}, not weights by name; save a state_dict")
    return values


def _why_unreadable(error: Exception) -> str:
    """One line with the remedy; torch's own advice is to switch its guard off."""
    text = str(error)
    if "TorchScript" in text:
        return "a deploy-form file (TorchScript) cannot be trained; give the training form"
    asked = re.search(r"GLOBAL ([\w.]+)", text)
    if asked and asked[1].startswith(YOLOV5_MODULES):
        return (
            f"refused: it holds {asked[1]}, and nothing in a file is executed; in the folder of the program that wrote"
            f" it, run python -c '{TO_STATE_DICT}' and give new.pth"
        )
    if asked:
        return (
            f"refused: it holds {asked[1]}, not only tensors and plain values, and nothing in a file is executed;"
            " save its state_dict alone with the program that wrote it, and give that file"
        )
    reason = re.search(r"WeightsUnpickler error: (.+)", text) or re.search(r"(.*)", text)
    return f"not a complete file of weights ({type(error).__name__}: {reason[1].strip()[:120]}); download it again"


def _foreign_weights(path: Path, values: Mapping[str, Any], network_name: str) -> tuple[str, dict[str, Tensor]]:
    """The source of the weights, and the tensors under this network's names."""
    container = next((name for name in (*AVERAGED, *CURRENT) if isinstance(values.get(name), Mapping)), None)
    held = values[container] if container else values
    # torch's AveragedModel counts its averages beside the network.
    weights = {str(key): value for key, value in held.items() if key != "n_averaged"}
    odd = [key for key, value in weights.items() if not isinstance(value, Tensor)]
    if odd or not weights:
        reason = f"it holds {_some(odd)}" if odd else "it is empty"
        raise InputError(f"{path}: not weights by name ({reason}); give a state_dict, or a checkpoint that has one")
    while prefix := next((prefix for prefix in WRAPPERS if all(key.startswith(prefix) for key in weights)), None):
        weights = {key.removeprefix(prefix): value for key, value in weights.items()}
    if any(DEPLOY & set(key.split(".")) for key in weights):
        raise InputError(f"{path}: a deploy-form file cannot be trained; give the training form")
    kind, rules = library_of(network_name), ()
    for mark, source, source_rules in SOURCES:
        if any(mark in key for key in weights):
            kind, rules = source, source_rules
    averaged = f", averaged weights ({container})" if container in AVERAGED else ""
    return kind + averaged, _renamed(path, weights, rules)


def _renamed(path: Path, weights: Mapping[str, Tensor], rules: Sequence[Rule]) -> dict[str, Tensor]:
    renamed: dict[str, Tensor] = {}
    for name, value in weights.items():
        key = name
        for pattern, replacement in rules:
            key = re.sub(pattern, replacement, key)
        if key in renamed:
            raise InputError(f"{path}: {name} would become {key}, which already exists; give a file of one tool")
        renamed[key] = value
    return renamed


def _require_fit(
    path: Path, network_name: str, own: Mapping[str, Tensor], weights: Mapping[str, Tensor], heads: Sequence[str]
) -> None:
    """Raise InputError unless names and shapes agree, except for the number of rows of the classifier."""
    # Some tools drop the counts of batches, which BatchNorm with a fixed momentum never uses.
    missing = [key for key in own if key not in weights and not key.endswith(".num_batches_tracked")]
    unknown = [key for key in weights if key not in own]
    other = [
        f"{key} ({_form(value)} there, {_form(own[key])} here)"
        for key, value in weights.items()
        if key in own and not _fits(value, own[key], first=1 if key in heads else 0)
    ]
    problems = {"not in the file": missing, "not in the network": unknown, "of another shape or type": other}
    found = "; ".join(f"{problem}: {_some(keys)}" for problem, keys in problems.items() if keys)
    if found:
        raise InputError(f"{path}: does not fit {network_name}: {found}; give weights of {network_name}")


def _fits(value: Tensor, own: Tensor, first: int) -> bool:
    plain = value.layout is torch.strided and not value.is_meta
    number = value.is_floating_point() or not own.is_floating_point()
    return plain and number and value.ndim == own.ndim and value.shape[first:] == own.shape[first:]


def _form(value: Tensor) -> str:
    return f"{str(value.dtype).removeprefix('torch.')} {list(value.shape)}"


def _settle_head(
    path: Path,
    own: Mapping[str, Tensor],
    weights: dict[str, Tensor],
    heads: Sequence[str],
    theirs: Sequence[str] | None,
    ours: Sequence[str],
) -> str:
    """Give the classifier in `weights` the classes `ours`, or leave it out; return in one phrase what was done."""
    if any(len(own[key]) != len(ours) for key in heads):
        return _settle_detector_head(own, weights, heads, theirs, ours)
    rows = {len(weights[key]) for key in heads} | (set() if theirs is None else {len(theirs)})
    if len(rows) > 1:
        raise InputError(f"{path}: its classifier's weight, bias and class names differ in number; download it again")
    if rows <= {len(ours)} and (theirs is None or tuple(theirs) == tuple(ours)):
        return "kept"
    if theirs is None:  # which class a row was is not known
        for key in heads:
            del weights[key]
        return f"new ({rows.pop()} classes there, {len(ours)} here)"
    row_of = {name: row for row, name in enumerate(theirs)}
    known = [row for row, name in enumerate(ours) if name in row_of]
    for key in heads:
        filled = own[key].to("cpu", copy=True)
        filled[known] = weights[key][[row_of[ours[row]] for row in known]].to(filled.dtype)
        weights[key] = filled
    changes = {
        "new": [name for name in ours if name not in row_of],
        "no longer there": [name for name in theirs if name not in set(ours)],
    }
    said = [f"{change}: {_some(names, 5)}" for change, names in changes.items() if names]
    return "; ".join([f"{len(known)} of {len(ours)} rows by class name", *said])


def _settle_detector_head(
    own: Mapping[str, Tensor],
    weights: dict[str, Tensor],
    heads: Sequence[str],
    theirs: Sequence[str] | None,
    ours: Sequence[str],
) -> str:
    """Keep or leave out a head whose rows are the values of boxes, several for each anchor and class."""
    same_classes = theirs is None or tuple(theirs) == tuple(ours)
    if same_classes and all(weights[key].shape == own[key].shape for key in heads):
        return "kept"
    for key in heads:
        del weights[key]
    return "new (it has other classes)"


def _letters_and_digits(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


def _some(names: Iterable[object], most: int = 4) -> str:
    names = [str(name) for name in names]
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more

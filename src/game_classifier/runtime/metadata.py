"""The metadata in a deployed file: the same JSON in every format."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

import torch

from game_classifier.errors import InputError
from game_classifier.frames.decode import Preprocessing
from game_classifier.lists.classes import class_hash
from game_classifier.models.checkpoint import Checkpoint
from game_classifier.models.refusals import Refusals

META_FILE = "meta.json"
CLASS_NAMES_FILE = "class_names.txt"
FORMAT = "game_classifier.deploy"
FORMAT_VERSION = 2  # 1 had neither the gate's rows nor the class names as a text

KNOWN = "float32 known [N], the probability that a frame shows one of the classes at all"
ANY_SIZE = "uint8 RGB [N, H, W, 3], any H and W"


@dataclass(frozen=True)
class Row:
    """The gate's measurements of one form of a network."""

    step: str
    precision: str  # that it really ran in
    figures: dict[str, Any]  # beside the trained network's answers: tasks/task.py, `Comparison.figures`
    megabytes: float | None  # of the file; None where there is none
    ms: float  # a frame, in batches of 32
    complaint: str = ""  # which threshold it missed; empty: passed, or not judged

    def to_dict(self) -> dict[str, Any]:
        """Flat, as in the JSON: the figures are among the other values."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return {"step": values.pop("step"), "precision": values.pop("precision"), **values.pop("figures"), **values}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "Row":
        """The inverse of `to_dict`; raises KeyError when a value is missing."""
        own = {field.name: values[field.name] for field in fields(cls) if field.name != "figures"}
        return cls(**own, figures={name: value for name, value in values.items() if name not in own})


@dataclass(frozen=True)
class Metadata:
    """Network, classes, preprocessing, and the measurements of the conversion."""

    network: str
    class_names: tuple[str, ...]  # in index order
    preprocessing: Preprocessing
    epoch: int
    metrics: dict[str, float]  # of the checkpoint, on its validation list, in 0..1
    weights_sha256: str  # of the checkpoint's weights: files of one conversion have the same
    output: str  # what an answer is, in words
    refusals: Refusals | None = None  # the thresholds of `known`; None: the file does not give it
    precision: str = "fp32"  # of the weights in the file
    resizes: bool = True  # whether frames of any size may come in
    rows: tuple[Row, ...] = ()  # the gate's table

    @classmethod
    def of_checkpoint(cls, checkpoint: Checkpoint, output: str) -> "Metadata":
        """The metadata that all files of a checkpoint share, before the gate."""
        return cls(
            checkpoint.network,
            checkpoint.class_names,
            checkpoint.preprocessing,
            checkpoint.epoch,
            checkpoint.metrics,
            checkpoint.weights_sha256(),
            f"{output}; {KNOWN}" if checkpoint.refusals else output,
            checkpoint.refusals,
        )

    def with_rows(self, rows: Sequence[Row]) -> "Metadata":
        """The same with the gate's table."""
        return replace(self, rows=tuple(rows))

    def texts(self) -> dict[str, str]:
        """File name -> text, for every format."""
        return {META_FILE: self.to_json(), CLASS_NAMES_FILE: "".join(f"{name}\n" for name in self.class_names)}

    def to_json(self) -> str:
        """One line of JSON, since the attributes of an OpenVINO file keep no line breaks."""
        size = self.preprocessing
        values: dict[str, Any] = {
            "format": FORMAT,
            "format_version": FORMAT_VERSION,
            **asdict(self),
            "rows": [row.to_dict() for row in self.rows],
            "preprocessing": self.preprocessing.to_dict(),
            "refusals": self.refusals.to_dict() if self.refusals else None,
            "class_hash": class_hash(self.class_names),
            "input": ANY_SIZE if self.resizes else f"uint8 RGB [N, {size.height}, {size.width}, 3]: {size.in_words()}",
            "torch": torch.__version__,
        }
        return json.dumps(values, ensure_ascii=False)


def read_metadata(path: Path, text: str | None) -> Metadata:
    """The inverse of `to_json` for the file `path`; InputError if there is none, or another version, or only a part."""
    if not text:
        raise InputError(f"{path}: has no metadata of this project; convert a checkpoint with src/main_convert.py")
    try:
        values = json.loads(text)
        version = values.get("format"), values.get("format_version")
    except (ValueError, AttributeError):
        raise InputError(f"{path}: its metadata is damaged; convert the checkpoint again") from None
    if version != (FORMAT, FORMAT_VERSION):
        raise InputError(
            f"{path}: deploy format {version[0]} {version[1]}, this version reads {FORMAT} {FORMAT_VERSION};"
            " convert the checkpoint again"
        )
    try:
        values.setdefault("refusals", None)  # files from before there was the score
        held = {field.name: values[field.name] for field in fields(Metadata)}
        held["class_names"] = tuple(held["class_names"])
        held["preprocessing"] = Preprocessing.from_dict(held["preprocessing"])
        held["rows"] = tuple(map(Row.from_dict, held["rows"]))
        held["refusals"] = Refusals.from_dict(held["refusals"]) if held["refusals"] else None
    except (KeyError, TypeError) as error:
        raise InputError(f"{path}: its metadata is damaged ({error}); convert the checkpoint again") from None
    return Metadata(**held)

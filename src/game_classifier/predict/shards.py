"""The finished predictions in a folder."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from game_classifier.errors import InputError
from game_classifier.models.zoo import CLASSIFICATION
from game_classifier.predict.predict_list import BOXES, FORMAT
from game_classifier.tasks.choose import TASKS
from game_classifier.tasks.task import Task


@dataclass(frozen=True)
class Shard:
    """The finished predictions of a list; the arrays are mapped, not loaded."""

    rows: np.ndarray
    boxes: np.ndarray | None  # None: the task has none
    manifest: dict[str, Any]

    @property
    def task(self) -> Task:
        """The task of the network that predicted the list."""
        return TASKS[self.manifest.get("task", CLASSIFICATION)]  # older manifests name none: they are a classifier's


def read_shards(save: Path) -> Sequence[Shard]:
    """Return each finished shard in `save`, by name.

    Raises InputError when there are none, and when they were made with different class lists or for different tasks.
    """
    shards: list[Shard] = []
    for manifest_path in sorted(save.glob("*.json")) if save.is_dir() else ():
        manifest = json.loads(manifest_path.read_text(encoding="utf-8"))
        array_path = manifest_path.with_suffix(".npy")
        is_one = isinstance(manifest, dict) and manifest.get("format") == FORMAT
        if not is_one or not array_path.exists():
            continue
        rows = _read_array(array_path, manifest["rows"], "rows, but its manifest says")
        shard = Shard(rows, None, manifest)
        if shard.task.rows.boxes is not None:
            boxes_path = array_path.with_suffix(f"{BOXES}.npy")
            if not boxes_path.exists():
                continue
            boxes = _read_array(
                boxes_path, int(rows["count"].sum(dtype=np.int64)), f"boxes, but {array_path.name} says"
            )
            shard = Shard(rows, boxes, manifest)
        shards.append(shard)
        first = shards[0].manifest
        if manifest["class_names"] != first["class_names"] or shard.task is not shards[0].task:
            differs = "class list" if shard.task is shards[0].task else "task"
            raise InputError(
                f"{manifest_path}: made with another {differs} than {first['list']}; keep the results of different"
                " models in different folders"
            )
    if not shards:
        raise InputError(f"{save}: no finished predictions; src/predict_repvgg.py --save {save} writes them")
    return shards


def _read_array(path: Path, expected: int, of_what: str) -> np.ndarray:
    array = np.load(path, mmap_mode="r", allow_pickle=False)
    if len(array) != expected:
        raise InputError(f"{path}: has {len(array)} {of_what} {expected}; predict the list again")
    return array

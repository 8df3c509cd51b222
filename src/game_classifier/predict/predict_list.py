"""One list in, one npy out: row i of the file is line i of the list, even if a frame cannot be read.

The manifest `STEM.json` beside `STEM.npy` records what the rows were made from.
"""

import hashlib
import json
import os
import threading
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from game_classifier.console import progress
from game_classifier.errors import InputError
from game_classifier.frames.decode import FrameStatus
from game_classifier.lists.filelist import FileList
from game_classifier.predict.pipeline import LEAST_BATCH, Answers, infer_list
from game_classifier.runtime.runner import Runner
from game_classifier.storage import replacing, write_json
from game_classifier.tasks.choose import task_with

FORMAT = "game_classifier.predictions"
FORMAT_VERSION = 2  # 1 had no hash of the array, nor the runtime
UNREAD_NAMED = 100  # in the manifest; the npy holds the status of every row


class Predictor:
    """Predicts lists with one network: a list in, an npy file out."""

    def __init__(self, runner: Runner, threads: int, batch_size: int) -> None:
        self.runner = runner
        self.workers = runner.workers(threads, max(batch_size, LEAST_BATCH))
        self.batch_size = batch_size
        self.task = task_with(runner.network, "rows")
        self.origin = {
            "format": FORMAT,
            "format_version": FORMAT_VERSION,
            "model_sha256": runner.sha256(),
            "runtime": runner.runtime,
            "precision": runner.precision,
        }

    def predict(self, frames: FileList, save: Path) -> bool:
        """Write `save/STEM.npy` and its manifest; return False if they exist and were made from the same input.

        Rows are written by position, so a frame that cannot be read is marked in its own row and moves no other.
        Raises InputError if the list changes meanwhile. No half file remains, whatever ends the work early.
        """
        array_path, manifest_path = save / f"{frames.source.stem}.npy", save / f"{frames.source.stem}.json"
        origin = {**self.origin, "list_sha256": frames.sha256}
        if is_finished(array_path, manifest_path, origin):
            return False
        manifest_path.unlink(missing_ok=True)  # it must never describe another array than the one beside it
        with replacing(array_path) as temporary:
            status = self._write_rows(temporary, frames)
            if not frames.is_current():
                raise InputError(
                    f"{frames.source}: changed while its frames were predicted; run the same command again"
                )
            array_sha256 = _sha256(temporary)
        write_json(
            manifest_path,
            {
                **origin,
                "array_sha256": array_sha256,
                "list": str(frames.source),
                "root": str(frames.root or ""),
                "model": str(self.runner.source),
                "rows": len(frames),
                **_not_read(frames, status),
                "task": self.task.name,
                "refusals": self.runner.refusals.to_dict() if self.runner.refusals else None,
                "class_names": list(self.runner.class_names),
            },
        )
        return True

    def _write_rows(self, path: Path, frames: FileList) -> np.ndarray:
        """Write the answer for every frame into the array file `path`; returns the rows' statuses."""
        dtype = self.task.rows.dtype(len(self.runner.class_names), self.runner.refusals is not None)
        table = np.lib.format.open_memmap(path, mode="w+", dtype=dtype, shape=(len(frames),))
        # A full disk must be an error here, not a bus error at the first write into a mapped hole.
        with path.open("r+b") as file:
            if hasattr(os, "posix_fallocate"):
                os.posix_fallocate(file.fileno(), 0, os.fstat(file.fileno()).st_size)
        self.task.rows.begin(table, frames)
        shown = threading.Lock()
        with progress(total=len(frames), unit="frame", desc=frames.source.stem, leave=False) as bar:

            def finish(answers: Answers) -> None:
                rows = table[answers.start : answers.start + len(answers.status)]
                rows["status"] = answers.status
                read = answers.status == FrameStatus.OK
                rows[read] = self.task.rows.fill(rows[read], answers.values[read])
                with shown:
                    bar.update(len(answers.status))

            infer_list(frames, self.runner.preprocessing, self.workers, self.batch_size, finish)
        table.flush()
        return np.array(table["status"])


def is_finished(array_path: Path, manifest_path: Path, origin: dict[str, Any]) -> bool:
    """Whether the array exists, is complete, and was made from `origin`."""
    try:
        manifest = json.loads(manifest_path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    if not array_path.exists() or any(manifest.get(key) != value for key, value in origin.items()):
        return False
    return _sha256(array_path) == manifest.get("array_sha256")  # two runs may have written here at the same time


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _not_read(frames: FileList, status: np.ndarray) -> dict[str, Any]:
    """The number of rows that were not read, for each reason, and the names of the first of them."""
    rows = np.flatnonzero(status)
    reason = {row: FrameStatus(status[row]).name.lower() for row in rows}
    first = [{"line": int(row) + 1, "path": frames.paths[row], "reason": reason[row]} for row in rows[:UNREAD_NAMED]]
    reasons = Counter(reason.values())
    return {"not_read": dict(sorted(reasons.items())), "first_not_read": first}


def read_shards(save: Path) -> Sequence[tuple[np.ndarray, dict[str, Any]]]:
    """Return (rows, manifest) of each finished shard in `save`, by name; rows are mapped, not loaded.

    Raises InputError when there are none, or when they were made with different class lists.
    """
    shards = []
    for manifest_path in sorted(save.glob("*.json")) if save.is_dir() else ():
        manifest = json.loads(manifest_path.read_text(encoding="utf-8"))
        array_path = manifest_path.with_suffix(".npy")
        if manifest.get("format") != FORMAT or not array_path.exists():
            continue
        table = np.load(array_path, mmap_mode="r", allow_pickle=False)
        if len(table) != manifest["rows"]:
            raise InputError(
                f"{array_path}: has {len(table)} rows, but its manifest says {manifest['rows']}; predict the list again"
            )
        shards.append((table, manifest))
        if manifest["class_names"] != shards[0][1]["class_names"]:
            raise InputError(
                f"{manifest_path}: made with another class list than {shards[0][1]['list']}; keep the results of"
                " different models in different folders"
            )
    if not shards:
        raise InputError(f"{save}: no finished predictions; src/predict_repvgg.py --save {save} writes them")
    return shards

"""One list in, one npy out: row i of the file is line i of the list, even if a frame cannot be read.

The boxes of a detector are in a second file, `STEM.boxes.npy`. The manifest `STEM.json` beside them records what the
rows were made from.
"""

import contextlib
import hashlib
import json
import os
import threading
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from game_classifier.console import progress
from game_classifier.errors import InputError
from game_classifier.frames.decode import FrameStatus
from game_classifier.lists.filelist import FileList
from game_classifier.predict.box_file import BoxFile
from game_classifier.predict.pipeline import LEAST_BATCH, Answers, infer_list, pick
from game_classifier.runtime.runner import Runner
from game_classifier.storage import replacing, write_json
from game_classifier.tasks.choose import task_of
from game_classifier.tasks.task import Answered

FORMAT = "game_classifier.predictions"
FORMAT_VERSION = 2  # 1 had no hash of the array, nor the runtime
UNREAD_NAMED = 100  # in the manifest; the npy holds the status of every row
BOXES = ".boxes"  # between the list's name and .npy


class Predictor:
    """Predicts lists with one network: a list in, an npy file out, and a second one if the task has boxes."""

    def __init__(self, runner: Runner, threads: int, batch_size: int, least_score: float | None = None) -> None:
        """`least_score` is that of the boxes that are kept; None: the task's own."""
        self.runner = runner
        self.workers = runner.workers(threads, max(batch_size, LEAST_BATCH))
        self.batch_size = batch_size
        self.task = task_of(runner.network)
        self.rows = self.task.rows if least_score is None else self.task.rows.with_least_score(least_score)
        self.origin = {
            "format": FORMAT,
            "format_version": FORMAT_VERSION,
            "model_sha256": runner.sha256(),
            "runtime": runner.runtime,
            "precision": runner.precision,
            **self.rows.settings(),
        }

    def predict(self, frames: FileList, save: Path) -> bool:
        """Write the arrays and their manifest; return False if they exist and were made from the same input.

        Rows are written by position, so a frame that cannot be read is marked in its own row and moves no other.
        Raises InputError if the list changes meanwhile. No half file remains, whatever ends the work early.
        """
        stem = frames.source.stem
        arrays, manifest_path = {"array_sha256": save / f"{stem}.npy"}, save / f"{stem}.json"
        if self.rows.boxes is not None:
            arrays["boxes_sha256"] = save / f"{stem}{BOXES}.npy"
        origin = {**self.origin, "list_sha256": frames.sha256}
        if is_finished(arrays, manifest_path, origin):
            return False
        manifest_path.unlink(missing_ok=True)  # it must never describe other arrays than those beside it
        with contextlib.ExitStack() as stack:
            temporaries = {name: stack.enter_context(replacing(path)) for name, path in arrays.items()}
            status = self._write_arrays(*temporaries.values(), frames=frames)
            if not frames.is_current():
                raise InputError(
                    f"{frames.source}: changed while its frames were predicted; run the same command again"
                )
            hashes = {name: _sha256(path) for name, path in temporaries.items()}
        write_json(
            manifest_path,
            {
                **origin,
                **hashes,
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

    def _write_arrays(self, path: Path, boxes_path: Path | None = None, *, frames: FileList) -> np.ndarray:
        """Write the answer for every frame into the array files; returns the rows' statuses."""
        dtype = self.rows.dtype(len(self.runner.class_names), self.runner.refusals is not None)
        table = np.lib.format.open_memmap(path, mode="w+", dtype=dtype, shape=(len(frames),))
        # A full disk must be an error here, not a bus error at the first write into a mapped hole.
        with path.open("r+b") as file:
            if hasattr(os, "posix_fallocate"):
                os.posix_fallocate(file.fileno(), 0, os.fstat(file.fileno()).st_size)
        self.rows.begin(table, frames)
        with contextlib.nullcontext() if boxes_path is None else BoxFile(path.parent, self.rows.boxes) as box_file:
            self._fill(table, box_file, frames)
            if box_file is not None:
                table["first"] = np.cumsum(table["count"], dtype=np.int64) - table["count"]
                box_file.write(boxes_path)
        table.flush()
        return np.array(table["status"])

    def _fill(self, table: np.ndarray, box_file: BoxFile | None, frames: FileList) -> None:
        """Predict every frame into its row of `table`, and its boxes into `box_file`."""
        size, shown = self.runner.preprocessing, threading.Lock()
        with progress(total=len(frames), unit="frame", desc=frames.source.stem, leave=False) as bar:

            def finish(answers: Answers) -> None:
                rows = table[answers.start : answers.start + len(answers.status)]
                rows["status"] = answers.status
                read = np.flatnonzero(answers.status == FrameStatus.OK)
                filled = rows[read]
                # Picking copies, and a detector's answers are megabytes.
                values = answers.values if len(read) == len(rows) else pick(answers.values, read)
                boxes = self.rows.fill(filled, Answered(answers.start + read, answers.sizes[read], values, size))
                rows[read] = filled
                if box_file is not None:
                    box_file.add(answers.start, boxes)
                with shown:
                    bar.update(len(answers.status))

            infer_list(frames, size, self.workers, self.batch_size, finish)


def is_finished(arrays: Mapping[str, Path], manifest_path: Path, origin: Mapping[str, Any]) -> bool:
    """Whether the arrays exist, are complete, and were made from `origin`; `arrays` are named as their hashes."""
    try:
        manifest = json.loads(manifest_path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    if any(manifest.get(key) != value for key, value in origin.items()):
        return False
    # Two runs may have written here at the same time.
    return all(path.exists() and _sha256(path) == manifest.get(name) for name, path in arrays.items())


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

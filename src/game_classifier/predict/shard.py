"""One list in, one npy out: row i of the file is line i of the list, whatever the frames are like.

Beside `STEM.npy` stands the manifest `STEM.json`, which says what the rows were made from.
"""

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from game_classifier.data.filelist import FileList
from game_classifier.data.frames import FrameStatus
from game_classifier.data.loader import load_batches
from game_classifier.deploy.runtime import Classifier
from game_classifier.errors import InputError
from game_classifier.report.progress import progress
from game_classifier.storage import replacing, write_json

FORMAT = "game_classifier.predictions"
FORMAT_VERSION = 1
NO_PREDICTION = -1
UNREAD_NAMED = 100  # in the manifest; the npy holds the status of every row


def row_type(num_classes: int) -> np.dtype:
    """The structured type of a row, as the contract in README.md has it."""
    return np.dtype(
        [
            ("label", "<i4"),  # -1: the line has none
            ("pred", "<i4"),  # -1: the frame was not read
            ("score", "<f4"),  # probability of pred
            ("status", "u1"),  # FrameStatus; 0 is read
            ("probs", "<f4", (num_classes,)),  # zeros where the frame was not read
        ]
    )


def predict_shard(
    frames: FileList, classifier: Classifier, model_sha256: str, save: Path, batch_size: int, threads: int
) -> bool:
    """Write `save/STEM.npy` and its manifest; return False when they were there already, made from the same.

    Rows are written by position, so a frame that cannot be read is marked in its own row and moves no other.
    """
    stem = frames.source.stem
    array_path, manifest_path = save / f"{stem}.npy", save / f"{stem}.json"
    origin = {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "list_sha256": frames.sha256,
        "model_sha256": model_sha256,
        "precision": classifier.precision,
    }
    if array_path.exists() and manifest_path.exists():
        manifest = json.loads(manifest_path.read_text(encoding="utf-8"))
        if all(manifest.get(key) == value for key, value in origin.items()):
            return False
    manifest_path.unlink(missing_ok=True)  # it must never describe another array than the one beside it

    unread: list[dict[str, Any]] = []
    reasons: Counter[str] = Counter()
    with replacing(array_path) as temporary:
        table = np.lib.format.open_memmap(
            temporary, mode="w+", dtype=row_type(len(classifier.class_names)), shape=(len(frames),)
        )
        with progress(total=len(frames), unit="frame", desc=stem, leave=False) as bar:
            rows = np.arange(len(frames))
            for batch in load_batches(frames.paths, rows, classifier.preprocessing, batch_size, threads):
                table["status"][batch.rows] = batch.status
                good = batch.readable()
                if len(good.rows):
                    _fill(table, good.rows, classifier(good.frames))
                for position in np.flatnonzero(batch.status):
                    reason = FrameStatus(batch.status[position]).name.lower()
                    reasons[reason] += 1
                    if len(unread) < UNREAD_NAMED:
                        row = int(batch.rows[position])
                        unread.append({"line": row + 1, "path": frames.paths[row], "reason": reason})
                bar.update(len(batch.rows))
        table["label"] = frames.labels
        not_read = table["status"] != FrameStatus.OK
        table["pred"][not_read] = NO_PREDICTION
        table.flush()
        del table
    write_json(
        manifest_path,
        origin
        | {"list": str(frames.source), "model": str(classifier.source), "rows": len(frames)}
        | {"not_read": dict(sorted(reasons.items())), "first_not_read": unread}
        | {"class_names": list(classifier.class_names)},
    )
    return True


def _fill(table: np.ndarray, rows: np.ndarray, probabilities: np.ndarray) -> None:
    predictions = probabilities.argmax(axis=1)
    table["pred"][rows] = predictions
    table["score"][rows] = probabilities[np.arange(len(rows)), predictions]
    table["probs"][rows] = probabilities


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
            raise InputError(f"{array_path}: {len(table)} rows, its manifest says {manifest['rows']}; predict it again")
        shards.append((table, manifest))
        if manifest["class_names"] != shards[0][1]["class_names"]:
            raise InputError(
                f"{manifest_path}: made with another class list than {shards[0][1]['list']}; keep the results of"
                " different models in different folders"
            )
    if not shards:
        raise InputError(f"{save}: no finished predictions; src/predict_repvgg.py --save {save} writes them")
    return shards

"""Per-class results of a folder of predictions."""

import csv
import io
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from game_classifier.data.filelist import UNLABELLED
from game_classifier.data.frames import FrameStatus
from game_classifier.predict.shard import read_shards
from game_classifier.report.metrics import Scores
from game_classifier.storage import make_folder, replacing, write_text

ROWS_AT_A_TIME = 65_536  # bounds the memory, however long a shard is


@dataclass
class Results:
    """What all rows of a folder say together."""

    class_names: tuple[str, ...]
    scores: Scores  # over the labelled rows that were read
    rows: int
    unlabelled: int
    predicted: np.ndarray  # int64 [C]: how often each class was predicted, labelled or not
    not_read: Counter[str]  # reason -> rows
    first_not_read: list[str]  # sentences that name file, line and reason


def collect(save: Path) -> Results:
    """Add up every finished shard in `save`."""
    shards = read_shards(save)
    class_names = tuple(shards[0][1]["class_names"])
    results = Results(class_names, Scores(len(class_names)), 0, 0, np.zeros(len(class_names), np.int64), Counter(), [])
    for table, manifest in shards:
        for start in range(0, len(table), ROWS_AT_A_TIME):
            rows = np.array(table[start : start + ROWS_AT_A_TIME])
            read = rows[rows["status"] == FrameStatus.OK]
            labelled = read[read["label"] != UNLABELLED]
            results.scores.add(labelled["probs"], labelled["label"])
            results.unlabelled += int((rows["label"] == UNLABELLED).sum())
            results.predicted += np.bincount(read["pred"], minlength=len(class_names))
        results.rows += len(table)
        results.not_read.update(manifest["not_read"])
        results.first_not_read += [
            f"{manifest['list']}:{each['line']}: {each['path']}: {each['reason']}"
            for each in manifest["first_not_read"]
        ]
    return results


def write_results(results: Results, folder: Path) -> np.ndarray:
    """Write per_class.npy, confusion.npy and per_class.csv into `folder`; return the per-class table."""
    make_folder(folder)
    per_class = results.scores.per_class(results.class_names)
    for name, array in (("per_class", per_class), ("confusion", results.scores.confusion)):
        with replacing(folder / f"{name}.npy") as temporary, temporary.open("wb") as file:
            np.save(file, array, allow_pickle=False)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(per_class.dtype.names)
    writer.writerows(per_class.tolist())
    write_text(folder / "per_class.csv", text.getvalue())
    return per_class

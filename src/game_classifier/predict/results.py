"""Adding up the predictions in a folder."""

from pathlib import Path

import numpy as np

from game_classifier.models.zoo import CLASSIFICATION
from game_classifier.predict.predict_list import read_shards
from game_classifier.tasks.choose import TASKS
from game_classifier.tasks.task import Results

ROWS_AT_A_TIME = 65_536  # bounds the memory, however long a list is


def collect(save: Path, refuse: float | None = None) -> Results:
    """Add up every finished list in `save`; `refuse` is the share of known frames that may be refused.

    By default that is the share that each network was trained with. Raises InputError for a share outside 0..0.5, and
    for one that a network has no threshold for.
    """
    shards = read_shards(save)
    first = shards[0][1]
    task = TASKS[first.get("task", CLASSIFICATION)]  # older manifests do not name a task: they are a classifier's
    results = task.rows.results(tuple(first["class_names"]), refuse)
    for table, manifest in shards:
        results.add_list(manifest)
        for start in range(0, len(table), ROWS_AT_A_TIME):
            results.add_rows(start, np.array(table[start : start + ROWS_AT_A_TIME]))
    return results

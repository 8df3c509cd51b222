"""Adding up the predictions in a folder."""

from pathlib import Path

import numpy as np

from game_classifier.predict.shards import read_shards
from game_classifier.tasks.task import Results

ROWS_AT_A_TIME = 8192  # bounds the memory, however long a list is; each may have 300 boxes


def collect(save: Path, refuse: float | None = None) -> Results:
    """Add up every finished list in `save`; `refuse` is the share of known frames that may be refused.

    By default that is the share that each network was trained with. Raises InputError for a share outside 0..0.5, for
    one that a network has no threshold for, and for any share if the networks are detectors.
    """
    shards = read_shards(save)
    results = shards[0].task.rows.results(tuple(shards[0].manifest["class_names"]), refuse)
    for shard in shards:
        results.add_list(shard.manifest)
        for start in range(0, len(shard.rows), ROWS_AT_A_TIME):
            rows = np.array(shard.rows[start : start + ROWS_AT_A_TIME])
            results.add_rows(start, rows, None if shard.boxes is None else boxes_of(rows, shard.boxes))
    return results


def boxes_of(rows: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """The boxes of successive rows, of all the boxes of their list."""
    return boxes[rows["first"][0] : rows["first"][-1] + rows["count"][-1]]

"""The few rows of a great many with the highest or lowest scores; rows may be added in chunks of any size."""

import numpy as np

RANKED = np.dtype(
    [
        ("shard", "<i4"),  # number of the list, in the order of the results
        ("row", "<i8"),
        ("label", "<i4"),
        ("pred", "<i4"),
        ("score", "<f4"),
    ]
)


class Ranking:
    """The `most` rows of the highest, or lowest, score: of all, or of each pair of label and prediction.

    Rows of equal score are taken in the order of lists and lines, so the chunks do not matter. A score that is
    no number counts as 0.
    """

    def __init__(self, most: int, *, highest: bool, of_each_pair: bool = False) -> None:
        self.most, self.highest, self.of_each_pair = most, highest, of_each_pair
        self.rows = np.zeros(0, RANKED)  # the best first; by pairs, in the order of label and prediction

    def add(self, rows: np.ndarray) -> None:
        """Add RANKED [N]; what no longer comes first is dropped."""
        rows = np.concatenate([self.rows, rows])
        value = np.nan_to_num(rows["score"]) * (-1 if self.highest else 1)
        if not self.of_each_pair and len(rows) > self.most:  # far fewer to sort
            hopeful = value <= np.partition(value, self.most - 1)[self.most - 1]
            rows, value = rows[hopeful], value[hopeful]
        pair = (rows["pred"], rows["label"]) if self.of_each_pair else ()
        rows = rows[np.lexsort((rows["row"], rows["shard"], value, *pair))]
        self.rows = rows[self._place(rows) < self.most]

    def _place(self, rows: np.ndarray) -> np.ndarray:
        """int64 [N]: the place, from 0, of each sorted row in its group."""
        places = np.arange(len(rows))
        if self.of_each_pair and len(rows):
            pairs = np.stack([rows["label"], rows["pred"]], axis=1)
            first = np.append(True, (pairs[1:] != pairs[:-1]).any(axis=1))
            places -= np.maximum.accumulate(np.where(first, places, 0))
        return places

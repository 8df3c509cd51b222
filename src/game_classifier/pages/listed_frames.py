"""The frames of predicted lists that a page shows, if their lists are still there."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from game_classifier.lists.reopen import reopen_list
from game_classifier.pages.page import thumbnail

Picture = Callable[[Callable[[], bytes], int, int], str | None]  # reads the file of (shard, row) -> data URI


def plain_thumbnail(read: Callable[[], bytes], shard: int, row: int) -> str | None:
    """Any frame as `thumbnail` shows it."""
    return thumbnail(read)


def find_frames(
    manifests: Sequence[Mapping[str, Any]], rows: np.ndarray, picture: Picture = plain_thumbnail
) -> dict[tuple[int, int], tuple[str, str | None]]:
    """(shard, row) -> (path, picture) of those RANKED rows whose list is still there; one list at a time is read."""
    found: dict[tuple[int, int], tuple[str, str | None]] = {}
    for shard in np.unique(rows["shard"]).tolist():
        frames = reopen_list(manifests[shard])
        if frames is None:
            continue
        for row in np.unique(rows["row"][rows["shard"] == shard]).tolist():
            found[shard, row] = frames.paths[row], picture(partial(frames.read, row), shard, row)
    return found

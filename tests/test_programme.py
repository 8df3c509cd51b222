"""The recorded programme: the video is as long as its true timeline says, and the same seed gives the same."""

import json
from dataclasses import replace
from itertools import pairwise

import av
import numpy as np
import pytest

from game_classifier.demo.programme import UNKNOWN, Programme, plan, record_programme

SETTINGS = Programme(("pong", "boxing"), (), 4, (0.5, 1.0), 0.4, 160, 90, 10, "stream", 1)


def frames_of(path) -> list[np.ndarray]:
    with av.open(str(path)) as container:
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]


def test_a_programme_and_its_true_timeline(tmp_path):
    for name in ("one", "other"):
        assert len(list(record_programme(SETTINGS, tmp_path / f"{name}.mp4"))) == 4
    true = json.loads((tmp_path / "one.json").read_text("utf-8"))["segments"]
    frames = frames_of(tmp_path / "one.mp4")
    assert len(frames) == round(true[-1]["end"] * 10)
    assert frames[0].shape == (90, 160, 3)
    pairs = zip(frames, frames_of(tmp_path / "other.mp4"), strict=True)
    assert all(np.abs(one.astype(int) - other).mean() < 3 for one, other in pairs)  # the encoder may differ a little
    cuts = [round(part["start"] * 10) for part in true[1:]]
    changes = [np.abs(one.astype(int) - other).mean() for one, other in pairwise(frames)]
    assert min(changes[cut - 1] for cut in cuts) > np.median(changes)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one.json", "one.mp4", "other.json", "other.mp4"]


@pytest.mark.parametrize("seed", range(5))
def test_neighbours_differ_and_unknown_games_are_called_so(seed):
    parts = plan(replace(SETTINGS, unknown=("klax",), segments=40, seed=seed))
    assert all(one.shows != other.shows and one.end == other.start for one, other in pairwise(parts))
    assert {part.name for part in parts} == {"pong", "boxing", UNKNOWN}
    assert {part.shows for part in parts if part.name == UNKNOWN} == {"klax"}
    assert all(0.45 <= part.end - part.start <= 1.05 for part in parts)

"""The recorded programme: the video is as long as its true timeline says, and the same seed gives the same."""

import json
from dataclasses import replace
from itertools import pairwise

import av
import numpy as np
import pytest

from game_classifier.demo import play_source
from game_classifier.demo.environments import SetupError
from game_classifier.demo.programme import PAUSES, UNKNOWN, Programme, plan, record_programme

SETTINGS = Programme(("pong", "boxing"), (), 4, (0.5, 1.0), 0.4, 160, 90, 10, "stream", 1)


def frames_of(path) -> list[np.ndarray]:
    with av.open(str(path)) as container:
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]


def test_a_programme_and_its_true_timeline(tmp_path):
    for name in ("one", "other"):
        assert len(list(record_programme(SETTINGS, tmp_path / f"{name}.mp4", tmp_path))) == 4
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


def test_background_sources_are_unknown_parts(tmp_path):
    """The drawn desktop needs no environment of its own; a picture of it stays for three seconds."""
    settings = replace(SETTINGS, unknown=("desktop",), unknown_share=1.0, segments=2, seconds=(4.0, 4.0), style="plain")
    first, second = record_programme(settings, tmp_path / "one.mp4", tmp_path / "environments")
    assert {first.name, first.shows, second.name} - {"pong", "boxing"} == {UNKNOWN, "desktop"}
    start = round((first if first.name == UNKNOWN else second).start * 10)
    frames = frames_of(tmp_path / "one.mp4")[start : start + 40]
    changes = [np.abs(one.astype(int) - other).mean() for one, other in pairwise(frames)]
    assert np.argmax(changes) == 29
    assert len(frames) == 40


def test_breaks_may_stand_among_other_unknown_things():
    parts = plan(replace(SETTINGS, unknown=("klax", "breaks"), segments=60))
    assert {part.shows for part in parts if part.name == UNKNOWN} == {"klax", *PAUSES}


def test_a_source_that_does_not_start_is_one_line(tmp_path, run, monkeypatch):
    def missing(*_):
        raise SetupError("pip could not install nothing")

    monkeypatch.setattr(play_source, "python_of", missing)
    options = ("--segments", 2, "--seconds", 1, 1, "--games", "pong", "boxing", "--unknown-share", 1)
    done = run("tool/record_stream.py", "--out", tmp_path / "a.mp4", *options, "--unknown", "doom")
    assert done.error == "--unknown: pip could not install nothing"
    assert not list(tmp_path.iterdir())
    assert "--unknown takes arcade" in run("tool/record_stream.py", "--out", "a.mp4", "--unknown", "chess").error


@pytest.mark.parametrize("seed", range(5))
def test_neighbours_differ_and_unknown_games_are_called_so(seed):
    parts = plan(replace(SETTINGS, unknown=("klax",), segments=40, seed=seed))
    assert all(one.shows != other.shows and one.end == other.start for one, other in pairwise(parts))
    assert {part.name for part in parts} == {"pong", "boxing", UNKNOWN}
    assert {part.shows for part in parts if part.name == UNKNOWN} == {"klax"}
    assert all(0.45 <= part.end - part.start <= 1.05 for part in parts)

"""From a video to its timeline, with a tiny network that knows three colours."""

import csv
from itertools import pairwise

import numpy as np
import pytest
from conftest import CLASSES
from videos import names_of, programme, timeline_of, write_video

from game_classifier.runtime.runner import Runner

SCRIPT = "src/predict_stream.py"
PARTS = [(0, 20), (2, 13.6), (1, 26.4)]
CHANGES = [20, 33.6]


@pytest.fixture(scope="module")
def video(tmp_path_factory):
    return write_video(tmp_path_factory.mktemp("video") / "three games.mp4", programme(PARTS), key_every=50)


@pytest.mark.parametrize("frames", ["auto", "key", "exact"])
def test_a_video_becomes_a_timeline(tmp_path, run, sure, video, frames):
    done = run(SCRIPT, "-w", sure, "--input", video, "--save", tmp_path / "out", "--frames", frames)
    assert done.status == 0, done.err
    timeline = timeline_of(tmp_path / "out")
    parts = timeline["segments"]
    assert names_of(timeline) == [CLASSES[index] for index, _ in PARTS]
    assert [part["start"] for part in parts[1:]] == pytest.approx(CHANGES, abs=0.2)
    assert (parts[0]["start"], parts[-1]["end"], timeline["duration"]) == (0, 60, 60)
    assert all(one["end"] == other["start"] for one, other in pairwise(parts))
    assert all(part["confidence"] > 0.9 for part in parts)
    assert f"00:00:00-00:00:20 {CLASSES[0]} " in done.out

    rows = np.load(tmp_path / "out" / "timeline.npy")
    expected = {"auto": 30, "exact": 30, "key": 12}[frames]  # a key frame each 5 s
    assert len(rows) == expected
    assert (rows["status"] == 0).all()
    np.testing.assert_array_equal(rows["probs"].argmax(1), rows["pred"])
    if frames == "exact":
        assert rows["time"].tolist() == [2.0 * number for number in range(30)]
    names = timeline["class_names"]
    for row in rows:
        assert names[row["state"]] == next(
            part["class"] for part in parts if part["start"] <= row["time"] < part["end"]
        )


def test_the_other_files_tell_the_same(tmp_path, run, sure, video):
    assert run(SCRIPT, "-w", sure, "--input", video, "--save", tmp_path).status == 0
    timeline = timeline_of(tmp_path)
    with (tmp_path / "timeline.csv").open(encoding="utf-8", newline="") as file:
        listed = list(csv.DictReader(file))
    assert [(float(row["start"]), float(row["end"]), row["class"], row["reason"]) for row in listed] == [
        (part["start"], part["end"], part["class"], "") for part in timeline["segments"]
    ]
    chapters = (tmp_path / "timeline.vtt").read_text("utf-8").split("\n\n")
    assert chapters[0] == "WEBVTT"
    assert chapters[1].splitlines()[0] == "1"
    assert chapters[1].splitlines()[1].startswith("00:00:00.000 --> 00:00:")
    assert [each.splitlines()[2] for each in chapters[1:]] == names_of(timeline)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        f"timeline.{ending}" for ending in ("csv", "html", "json", "npy", "vtt")
    ]


def test_a_finished_timeline_is_kept_until_something_changes(tmp_path, run, sure):
    video = write_video(tmp_path / "a.mp4", programme([(0, 6)]))
    options = ("-w", sure, "--input", video, "--save", tmp_path / "out")
    assert "already finished" not in run(SCRIPT, *options).out
    assert "already finished" in run(SCRIPT, *options).out
    assert "already finished" not in run(SCRIPT, *options, "--interval", "1").out
    assert len(np.load(tmp_path / "out" / "timeline.npy")) == 6
    write_video(video, programme([(1, 6)]))
    assert "already finished" not in run(SCRIPT, *options, "--interval", "1").out
    assert names_of(timeline_of(tmp_path / "out")) == [CLASSES[1]]


def test_threads_change_nothing(tmp_path, run, sure, video):
    for threads in (1, 3):
        folder = tmp_path / str(threads)
        assert run(SCRIPT, "-w", sure, "--input", video, "--save", folder, "--threads", threads).status == 0
    one, other = ({path.name: path.read_bytes() for path in (tmp_path / name).iterdir()} for name in ("1", "3"))
    assert one == other


def test_answers_that_wait_are_not_those_of_the_next_frames(tmp_path, run, sure, video, monkeypatch):
    """A worker may write each answer into the same memory."""
    assert run(SCRIPT, "-w", sure, "--input", video, "--save", tmp_path / "expected").status == 0

    def workers(runner, count, batch_size):
        memory = [np.empty((batch_size, len(runner.class_names)), np.float32) for _ in range(count)]
        return [lambda frames, own=own: np.copyto(own, runner.infer(frames)) or own for own in memory]

    monkeypatch.setattr(Runner, "workers", workers)
    assert run(SCRIPT, "-w", sure, "--input", video, "--save", tmp_path / "reused").status == 0
    rows = [np.load(tmp_path / name / "timeline.npy") for name in ("expected", "reused")]
    np.testing.assert_array_equal(rows[1]["probs"], rows[0]["probs"])


def test_a_known_score_makes_unknown_parts(tmp_path, run, sure, video, monkeypatch):
    """A stand-in for the score of a deployed file: blue frames show no known game."""
    from game_classifier.timeline import predict_video

    def answer(runner, infer, frames):
        blue = frames[..., 2].mean((1, 2)) > 150
        return infer(frames), np.where(blue, 0.02, 0.99).astype(np.float32)

    monkeypatch.setattr(predict_video, "_answer", answer)
    assert run(SCRIPT, "-w", sure, "--input", video, "--save", tmp_path).status == 0
    timeline = timeline_of(tmp_path)
    assert names_of(timeline) == [CLASSES[0], "unknown", CLASSES[1]]
    assert [part["index"] for part in timeline["segments"]] == [1, -1, 0]
    assert timeline["segments"][1]["start"] == pytest.approx(CHANGES[0], abs=0.2)
    rows = np.load(tmp_path / "timeline.npy")
    assert set(rows["state"][(rows["time"] > 21) & (rows["time"] < 33)]) == {-1}
    assert np.isfinite(rows["known"]).all()


def test_the_network_s_own_thresholds_say_what_is_unknown(tmp_path, run, calibrated, sure, video):
    from game_classifier.models.checkpoint import load_checkpoint

    refusals = load_checkpoint(calibrated.best).refusals
    options = ("-w", calibrated.best, "--input", video, "--save", tmp_path)
    for rate in (None, 0.5):
        assert run(SCRIPT, *options, *([] if rate is None else ["--refuse", rate])).status == 0
        assert timeline_of(tmp_path)["smoothing"]["even"] == refusals.threshold(rate or max(0.02, refusals.rates[0]))
    assert "refusal rate 0.7" in run(SCRIPT, *options, "--refuse", "0.7").error
    weights = ("-w", sure, "--input", video, "--save", tmp_path)
    assert "does not give the `known` score; leave --refuse out" in run(SCRIPT, *weights, "--refuse", "0.1").error


def test_wrong_use_is_one_line(run, sure, tmp_path):
    assert "not a time such as" in run(SCRIPT, "-w", sure, "--input", "x", "--save", tmp_path, "--interval", "0").err
    assert run(SCRIPT, "-w", sure, "--input", tmp_path / "no.mp4", "--save", tmp_path).error.startswith(
        f"{tmp_path}/no.mp4: no such file"
    )

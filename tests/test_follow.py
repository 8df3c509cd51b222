"""Live streams and pipes: lines of JSON as they come, reconnecting, and memory that does not grow."""

import contextlib
import http.server
import json
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
from conftest import CLASSES, ROOT
from videos import names_of, programme, timeline_of, write_video

from game_classifier.timeline import follow as follow_module
from game_classifier.timeline.contract import sha256
from game_classifier.timeline.follow import Following, follow
from game_classifier.timeline.hmm import Smoothing
from game_classifier.timeline.predict_video import Sampling, VideoPredictor
from game_classifier.timeline.source import Source

PARTS = [(0, 20), (2, 14), (1, 26)]


@pytest.fixture(scope="module")
def predictor(sure):
    from game_classifier.runtime.runner import load_runner

    return VideoPredictor(load_runner(sure), 2, Sampling(1.0), Smoothing())


@pytest.fixture(scope="module")
def recording(tmp_path_factory):
    return write_video(tmp_path_factory.mktemp("stream") / "day.ts", programme(PARTS))


@contextlib.contextmanager
def served(*answers: bytes):
    """A web server that gives one of `answers` for each request, then hangs up; afterwards it knows nothing."""
    left = list(answers)

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200 if left else 404)
            self.end_headers()
            if left:
                self.wfile.write(left.pop(0))

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/live"
        server.shutdown()


@pytest.mark.slow
def test_a_pipe_is_followed_with_a_line_for_each_change(tmp_path, sure, recording):
    script = [sys.executable, ROOT / "src/predict_stream.py", "-w", sure, "--input", "-", "--save", tmp_path]
    with recording.open("rb") as file:
        done = subprocess.run(
            [*map(str, script), "--lag", "6"], stdin=file, capture_output=True, text=True, encoding="utf-8"
        )
    assert done.returncode == 0, done.stderr
    *changes, end = map(json.loads, done.stdout.splitlines())
    assert [change["class"] for change in changes] == [CLASSES[index] for index, _ in PARTS]
    assert [change["time"] for change in changes] == [0, pytest.approx(20, abs=1.1), pytest.approx(34, abs=1.1)]
    assert all(6 <= change["delay"] <= 8.5 for change in changes)
    assert end == {"event": "end", "time": pytest.approx(60, abs=0.2)}
    timeline = timeline_of(tmp_path)
    assert [part["start"] for part in timeline["segments"]] == [change["time"] for change in changes]
    rows = np.load(tmp_path / "timeline.npy", allow_pickle=False)
    assert len(rows) in (30, 31)  # each 2 s; a transport stream may tell a little more than a minute
    assert set(rows["status"]) == {0}
    assert [timeline["class_names"][state] for state in rows["state"][[0, 12, 25]]] == names_of(timeline)


def test_what_is_told_does_not_depend_on_what_comes_after_the_lag(tmp_path, predictor, recording):
    told: list[list[dict]] = []
    for number, size in enumerate((1.0, 0.75)):
        data = recording.read_bytes()
        (tmp_path / "part.ts").write_bytes(data[: int(len(data) * size)])
        told.append([])
        with served((tmp_path / "part.ts").read_bytes()) as url:
            follow(predictor, Source(url), tmp_path / str(number), Following(5.0, 0.0), told[number].append)
    assert len(told[1]) == 4
    assert told[1][:2] == told[0][:2]


def test_a_lost_connection_is_a_gap_and_is_opened_again(tmp_path, predictor, monkeypatch):
    monkeypatch.setattr(follow_module, "FIRST_WAIT", 0.2)
    halves = [write_video(tmp_path / f"{index}.ts", programme([(index, 12)])).read_bytes() for index in (0, 1)]
    told = []
    with served(*halves) as url:
        follow(predictor, Source(url), tmp_path / "out", Following(5.0, 1.0), told.append)
    assert [each["event"] for each in told] == ["change", "gap", "change", "end"]
    timeline = timeline_of(tmp_path / "out")
    assert names_of(timeline) == [CLASSES[0], CLASSES[1]]
    (gap,) = timeline["gaps"]
    assert gap["reason"] == "connection lost"
    assert gap["start"] == pytest.approx(12, abs=0.2)
    assert 0.1 < gap["end"] - gap["start"] < 10
    assert timeline["segments"][0]["end"] == gap["start"]
    assert timeline["segments"][1]["start"] == gap["end"]


@pytest.mark.slow
def test_a_stop_writes_the_timeline(tmp_path, sure, recording):
    """SIGTERM while the pipe stays open."""
    script = [sys.executable, ROOT / "src/predict_stream.py", "-w", sure, "--input", "-", "--save", tmp_path]
    process = subprocess.Popen([*map(str, script), "--lag", "3"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    process.stdin.write(recording.read_bytes())
    process.stdin.flush()
    first = json.loads(process.stdout.readline())
    assert first["class"] == CLASSES[0]
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 130
    assert names_of(timeline_of(tmp_path))[0] == CLASSES[0]


def test_a_kill_leaves_the_files_of_the_last_save(tmp_path, sure, recording):
    """SIGKILL while the pipe stays open."""
    script = [sys.executable, ROOT / "src/predict_stream.py", "-w", sure, "--input", "-", "--save", tmp_path]
    process = subprocess.Popen([*map(str, script), "--lag", "3"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    process.stdin.write(recording.read_bytes())
    process.stdin.flush()
    saved = tmp_path / "timeline.json"
    while not saved.exists():
        assert process.poll() is None
        time.sleep(0.05)
    process.kill()
    process.wait()
    timeline = timeline_of(tmp_path)
    assert timeline["following"] == {"lag": 3.0, "ended": False}
    assert names_of(timeline)[0] == CLASSES[0]
    assert timeline["array_sha256"] == sha256(tmp_path / "timeline.npy")


def test_every_save_is_a_whole_timeline_of_what_was_told(tmp_path, predictor, recording, monkeypatch):
    monkeypatch.setattr(follow_module, "SECONDS_BETWEEN_SAVES", 0.0)
    monkeypatch.setattr(follow_module, "SHARE_OF_SAVING", 1e9)
    told, saves = [], []

    def tell(event: dict) -> None:
        told.append(event)
        if len(told) > 1:  # what the decision before this one left
            saves.append(timeline_of(tmp_path))
            assert saves[-1]["array_sha256"] == sha256(tmp_path / "timeline.npy")
            rows = np.load(tmp_path / "timeline.npy")
            assert 0 <= saves[-1]["duration"] - rows["time"][-1] <= (2.1 if event["event"] == "end" else 0.001)
            assert [saves[-1]["class_names"][rows["state"][-1]]] == names_of(saves[-1])[-1:]

    with served(recording.read_bytes()) as url:
        follow(predictor, Source(url), tmp_path, Following(5.0, 0.0), tell)
    assert [save["following"]["ended"] for save in saves] == [False, False, True]
    for save, parts in zip(saves, (1, 2, 3), strict=True):
        assert names_of(save) == [CLASSES[index] for index, _ in PARTS[:parts]]
        assert [part["start"] for part in save["segments"]] == [event["time"] for event in told[:parts]]
    assert 10 < saves[0]["duration"] < saves[1]["segments"][1]["start"] + 1.1


def test_saving_takes_a_small_share_of_the_time(tmp_path, predictor, recording, monkeypatch):
    monkeypatch.setattr(follow_module, "SECONDS_BETWEEN_SAVES", 0.0)
    saves, write = [], follow_module.write_timeline

    def slowly(*values) -> None:
        saves.append(values)
        time.sleep(0.3)
        write(*values)

    monkeypatch.setattr(follow_module, "write_timeline", slowly)
    with served(recording.read_bytes()) as url:
        follow(predictor, Source(url), tmp_path, Following(5.0, 0.0), lambda event: None)
    assert len(saves) == 2  # with the first decision, and at the end: 0.3 s in 30 s would be allowed


def test_a_stream_without_a_readable_frame_leaves_nothing(tmp_path, run, sure):
    with served(b"no video " * 1000) as url:
        done = run("src/predict_stream.py", "-w", sure, "--input", url, "--save", tmp_path)
    assert done.error.startswith(f"{url}: cannot be opened")
    assert not [path for path in tmp_path.iterdir() if path.is_file()]

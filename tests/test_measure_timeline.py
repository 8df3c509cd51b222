"""scripts/measure_timeline.py: what it counts, and a whole run on a short programme."""

import json
from runpy import run_path

import numpy as np
import pytest
from conftest import CLASSES, ROOT
from videos import UNLIKE, programme, write_video

SCRIPT = "scripts/measure_timeline.py"


@pytest.fixture(scope="module")
def script() -> dict:
    return run_path(str(ROOT / SCRIPT))


def parts(*named: tuple[float, str]) -> list[dict]:
    return [{"start": start, "class": name} for start, name in named]


def test_boundaries_and_false_switches(script):
    compare = script["compare_changes"]
    true = parts((0, "a"), (10, "b"), (20, "a"))
    assert compare(true, parts((0, "a"), (10.5, "b"), (19.5, "a"))) == ([0.5, 0.5], 0)
    assert compare(true, parts((0, "a"), (9, "b"), (14.5, "c"), (20, "a"))) == ([1, 0], 1)
    assert compare(true, parts((0, "a"))) == ([np.inf, np.inf], 0)
    assert compare(parts((0, "a")), parts((0, "a"), (5, "b"))) == ([], 1)


def test_what_a_network_does_not_know_is_unknown(tmp_path, script):
    segments = [
        {"start": 0, "end": 5, "class": "pong", "shows": "pong"},
        {"start": 5, "end": 9, "class": "unknown", "shows": "klax"},
        {"start": 9, "end": 12, "class": "unknown", "shows": "desktop"},
    ]
    (tmp_path / "a.json").write_text(json.dumps({"segments": segments}))
    true = script["true_segments"](tmp_path / "a.mp4", ("klax", "qbert"))
    assert [part["class"] for part in true] == ["unknown", "klax", "unknown"]


def test_a_whole_run(tmp_path, run, sure, capfd):
    """Two known games and noise; the network has no known score, and noise makes it unsure."""
    shown = [(0, 14), (UNLIKE, 12), (1, 14)]
    write_video(tmp_path / "a.mp4", programme(shown))
    ends = np.cumsum([0, *(seconds for _, seconds in shown)]).tolist()
    segments = [
        {"start": start, "end": end, "shows": "noise" if index == UNLIKE else CLASSES[index]}
        for start, end, (index, _) in zip(ends, ends[1:], shown, strict=False)
    ]
    (tmp_path / "a.json").write_text(json.dumps({"segments": segments}), encoding="utf-8")
    done = run(SCRIPT, "-w", sure, "--input", tmp_path / "a.mp4", "--json", tmp_path / "figures.json")
    assert done.status == 0, done.err
    assert "1 programmes, 3 segments, 40 s; unknown: 1 segments, 12 s (noise)" in done.out
    assert "| every 2 s | offline | " in done.out
    assert "| exact: times real time | " in capfd.readouterr().out  # of another process
    figures = json.loads((tmp_path / "figures.json").read_text("utf-8"))
    for each in figures:
        assert each["boundaries"] == 2
        assert each["over time, known"] > 0.6
        assert all(0 <= each[f"{way}, unknown"] <= 1 for way in ("over time", "frames alone", "live"))
    assert figures[0]["live delay median"] > 10


def test_wrong_use_is_one_line(tmp_path, run, sure):
    video = write_video(tmp_path / "a.mp4", programme([(0, 1)]))
    assert run(SCRIPT, "-w", sure).error.startswith("give videos with --input")
    assert run(SCRIPT, "-w", sure, "--input", video).error.startswith(f"{tmp_path}/a.json: no true timeline of a.mp4")
    assert "fewer than two games" in run(SCRIPT, "-w", sure, "--record", tmp_path / "new").error
    assert "no such folder" in run(SCRIPT, "-w", sure, "--input", video, "--json", tmp_path / "no" / "a.json").error

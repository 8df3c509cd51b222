"""scripts/bench_boxes.py: its figures with another program in ultralytics' place, and its errors."""

import json
import re
import sys
from pathlib import Path

import pytest
from box_frames import make_box_dataset
from conftest import ROOT, program, random_detector

from game_classifier.frames.decode import Preprocessing

SCRIPT = "scripts/bench_boxes.py"
OTHER = """#!{python}
import json, sys, time
settings = json.load(open(sys.argv[2]))
assert sys.argv[1].endswith("run_ultralytics.py")
json.dump(settings, open({seen!r}, "w"))
print("a line of its own")
print(settings['mark'] + '{{"ready": ["slow", "quick"]}}', flush=True)
for line in sys.stdin:
    time.sleep(0.9 if line == "slow\\n" else 0.3)
    print(settings['mark'] + '{{"boxes": 1}}', flush=True)
"""


@pytest.fixture(scope="module")
def weights(tmp_path_factory) -> Path:
    size = Preprocessing(32, 64, "letterbox", (0.0,) * 3, (1.0,) * 3)
    return random_detector(tmp_path_factory.mktemp("weights") / "random.pth", size, ("red", "green", "blue"))


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    return make_box_dataset(tmp_path_factory.mktemp("boxes"), train=2, val=5)


def test_ours_and_the_best_of_theirs_are_timed_on_the_same_frames(tmp_path, run, weights, data):
    other = program(tmp_path / "other", OTHER.format(python=sys.executable, seen=str(tmp_path / "seen.json")))
    figures = tmp_path / "figures.json"
    options = ("--frames", 3, "--rounds", 1, "--batch-size", 3, "--ultralytics", other, "--json", figures)
    outcome = run(SCRIPT, "-w", weights, "--input", data / "val.txt", *options)
    assert outcome.status == 0, outcome
    assert "3 frames," in outcome.out
    assert "ours, random.pth: " in outcome.out
    written = json.loads(figures.read_text())
    assert list(written) == [
        "decoding alone, to 32x64",
        "network alone, random.pth",
        "ours, random.pth",
        "ultralytics, slow",
        "ultralytics, quick",
    ]
    ours, slow, quick = (written[name] for name in list(written)[2:])
    assert slow["ms_per_frame"] > 290  # a busy machine takes longer than they sleep
    assert 95 < quick["ms_per_frame"] < slow["ms_per_frame"]
    assert ours["ultralytics_best"] == "ultralytics, quick"
    assert ours["times_ultralytics_best"] == pytest.approx(quick["ms_per_frame"] / ours["ms_per_frame"])
    parts = written["decoding alone, to 32x64"]["ms_per_frame"] + written["network alone, random.pth"]["ms_per_frame"]
    assert ours["of_the_limit"] == pytest.approx(parts / ours["ms_per_frame"])
    seen = json.loads((tmp_path / "seen.json").read_text())
    assert (seen["model"], seen["size"], seen["classes"]) == ("yolov5n.yaml", [32, 64], 3)
    assert (seen["least_score"], seen["overlap"], seen["most"]) == (0.25, 0.6, 300)
    assert [Path(path).name for path in seen["paths"]] == ["000.png", "001.png", "002.png"]


def test_wrong_use_is_one_line(tmp_path, run, weights, data, trained):
    def error(*options, network=weights, source=data / "val.txt"):
        return run(SCRIPT, "-w", network, "--input", source, *options).error

    assert "is a classifier; scripts/bench_predict.py measures it" in error(network=trained.best)
    assert "none: no such folder; choose an existing folder for --json" in error("--json", tmp_path / "none" / "a.json")
    assert "none.txt: no such file" in error(source=tmp_path / "none.txt")
    (tmp_path / "lost.txt").write_text("lost.png\n")
    assert "lost.png cannot be read (missing); remove it from the list" in error(source=tmp_path / "lost.txt")
    assert "nowhere: cannot be run (No such file" in error("--ultralytics", tmp_path / "nowhere")
    ends = program(tmp_path / "ends", "#!/bin/sh\necho 'ModuleNotFoundError: No module named x' >&2\n")
    reason = error("--ultralytics", ends)
    assert "ends: ultralytics ended (ModuleNotFoundError: No module named x); is it installed there" in reason


def test_nothing_of_the_package_imports_ultralytics():
    for folder in ("src", "tool", "scripts", "tests"):
        for path in (ROOT / folder).rglob("*.py"):
            if path.name not in ("run_ultralytics.py", "train_ultralytics.py"):
                assert not re.search(r"^\s*(?:from|import) ultralytics", path.read_text("utf-8"), re.MULTILINE), path
    for name in ("requirements.txt", "pyproject.toml"):
        assert "ultralytics" not in (ROOT / name).read_text()

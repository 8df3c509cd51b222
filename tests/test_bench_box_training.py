"""scripts/bench_box_training.py: its table with another program in ultralytics' place, and its errors."""

import json
import sys
from pathlib import Path

import pytest
from box_frames import make_box_dataset
from conftest import program, run_script

from game_classifier.lists.box_list import read_box_list
from game_classifier.lists.label_files import label_path

SCRIPT = "scripts/bench_box_training.py"
SHORT = ("--set", "epochs=1", "--set", "min_steps=2", "--set", "batch_size=2", "--set", "image_size=64")
OTHER = """#!{python}
import json, sys
settings = json.load(open(sys.argv[2]))
assert sys.argv[1].endswith("train_ultralytics.py")
json.dump(settings, open({seen!r}, "w"))
print("a line of its own")
print(settings["mark"] + json.dumps({{"ready": True}}), flush=True)
for line in sys.stdin:
    model, seconds = json.loads(line)
    answer = {{"seconds": seconds, "frames": 1000, "found": {found!r}}}
    print(settings["mark"] + json.dumps(answer), flush=True)
"""


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    return make_box_dataset(tmp_path_factory.mktemp("boxes"), train=4, val=5)


def test_all_train_for_equal_time_and_the_same_code_counts_their_ap(tmp_path, data):
    frames = read_box_list(data / "val.txt", 3)
    boxes = []
    for row in range(len(frames)):  # the other program finds every box, and one class too high, with less trust
        height, width = frames.boxes.sizes[row].tolist()
        for label, box in frames.boxes.of(row):
            x1, y1, x2, y2 = (box * (width, height, width, height)).tolist()
            found = {"image_id": row + 1, "bbox": [x1, y1, x2 - x1, y2 - y1]}
            boxes += [found | {"category_id": int(label) + 1, "score": 0.9}, found | {"category_id": 3, "score": 0.1}]
    (tmp_path / "found.json").write_text(json.dumps(boxes))
    seen = str(tmp_path / "seen.json")
    text = OTHER.format(python=sys.executable, seen=seen, found=str(tmp_path / "found.json"))
    other, out = program(tmp_path / "other", text), tmp_path / "out"
    done = run_script(SCRIPT, data, "--ultralytics", other, "-o", out, "--models", "a.yaml", "b.yaml", *SHORT)
    assert done.status == 0, done
    ours, first, second = json.loads((out / "training.json").read_text())
    assert [ours["network"], first["network"], second["network"]] == [
        "yolov5n_detector",
        "ultralytics a.yaml",
        "ultralytics b.yaml",
    ]
    assert first["seconds"] == second["seconds"] == ours["seconds"]
    assert ours["frames"] == 4  # two steps of two frames
    assert ours["ap50"] < 0.5 < first["ap"] == pytest.approx(first["ap50"]) == 1
    assert "| ultralytics a.yaml |" in done.out
    settings = json.loads(Path(seen).read_text())
    assert (settings["size"], settings["batch"]) == (64, 2)
    folder = Path(settings["data"]).parent
    described = json.loads(Path(settings["data"]).read_text())
    assert list(described["names"].values()) == (data / "annotations.txt").read_text().split()[::2]
    assert [path.resolve() for path in sorted((folder / described["val"]).iterdir())] == [
        Path(path).resolve() for path in frames.paths
    ]
    label = folder / "val" / "labels" / "00000000.txt"
    assert label.read_text() == label_path(frames.paths[0]).read_text()


def test_wrong_use_is_one_line(tmp_path, run, data):
    def error(*options, python=tmp_path / "nowhere", out=tmp_path / "out"):
        return run(SCRIPT, data, "--ultralytics", python, "-o", out, *options).error

    assert "repvgg_a0: is a classifier; scripts/bench_train.py measures it" in error("-n", "repvgg_a0")
    assert "exists; a training there would go on, so give a new folder with -o" in error(out=tmp_path)
    assert "nowhere: cannot be run (No such file" in error()
    ends = program(tmp_path / "ends", "#!/bin/sh\necho 'ModuleNotFoundError: No module named x' >&2\n")
    assert "ends: ultralytics ended (ModuleNotFoundError: No module named x)" in error(python=ends)
    assert not (tmp_path / "out").exists()  # so the same command can be given again
    assert "yolov5_detector" in error("-n", "yolov5_detector")


def test_a_program_that_ends_between_two_answers_is_one_line_and_our_result_is_kept(tmp_path, run, data):
    text = f"""#!{sys.executable}
import json, sys
print(json.load(open(sys.argv[2]))["mark"] + "{{}}", flush=True)
sys.exit("RuntimeError: out of memory")
"""
    other, out = program(tmp_path / "other", text), tmp_path / "out"
    reason = run(SCRIPT, data, "--ultralytics", other, "-o", out, *SHORT).error
    assert "other: ultralytics ended (RuntimeError: out of memory)" in reason
    assert [each["network"] for each in json.loads((out / "training.json").read_text())] == ["yolov5n_detector"]

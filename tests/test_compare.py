"""The comparison of networks."""

import csv
import json
import math
import os
import shutil
import subprocess
import sys
from contextlib import redirect_stdout
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import ROOT, make_dataset, run_script, tiny_config
from PIL import Image

from game_classifier.compare.comparison import alone_table, figures, ways_table
from game_classifier.compare.contestants import RUNTIMES, Contestant
from game_classifier.compare.end_to_end import Way
from game_classifier.compare.network_alone import Cell, time_networks
from game_classifier.compare.table import Table, csv_text
from game_classifier.compare.turns import Amount, Times
from game_classifier.errors import InputError
from game_classifier.lists.dataset import read_dataset
from game_classifier.models.checkpoint import load_checkpoint, save_checkpoint
from game_classifier.models.zoo import build_model, parameter_count
from game_classifier.training.fit import fit

pytestmark = pytest.mark.slow  # trains, converts and times networks

COMPARE = "scripts/compare_networks.py"


def read_csv(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(path.read_text(encoding="utf-8").splitlines()))


def size_of(picture: Path) -> tuple[int, int]:
    with Image.open(picture) as image:
        image.load()
        return image.size


RECIPE = "image_size=32 train_sizes=[1.0] epochs=2 batch_size=6 min_steps=20 lr=0.005 precision=fp32"


def compare_baseline(folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run the shell script as a user does who stands in `folder`."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return subprocess.run(
        ["bash", ROOT / "scripts/compare_baseline.sh"],
        cwd=folder,
        env=os.environ | {"PATH": path} | variables,
        capture_output=True,
        text=True,
    )


@dataclass(frozen=True)
class Compared:
    """A comparison that tests may read but not change: 24 frames (the list has 12) in all runtimes."""

    data: Path
    folder: Path
    repvgg: Path  # checkpoint
    squeezenet: Path
    out: str


@pytest.fixture(scope="module")
def compared(tmp_path_factory, trained, everything) -> Compared:
    """RepVGG has every format that can be had, SqueezeNet neither bf16 nor INT8; both were converted before."""
    folder = tmp_path_factory.mktemp("compared") / "out put"
    shutil.copytree(everything.files[0].parent, folder / "repvgg_tiny")
    recipe = tiny_config(network="squeezenet1_1", optimizer="adamw", lr=0.0005)
    with redirect_stdout(None):
        squeezenet = fit(recipe, read_dataset(trained.dataset), folder.parent / "trained", resume=False)
    convert = ["-w", squeezenet, "-o", folder / "squeezenet1_1", "--formats", "pt", "onnx", "openvino"]
    loose = [part for each in ("gate.bf16_agreement=0", "gate.top1_drop=1") for part in ("--set", each)]
    converted = run_script("src/main_convert.py", *convert, *loose)
    assert converted.status == 0, converted.err
    arguments = ["-i", trained.dataset, "-o", folder, "--frames", 24, "--rounds", 2, "--batch-size", 5]
    done = run_script(COMPARE, "-w", trained.best, squeezenet, *arguments)
    assert done.status == 0, done.err
    return Compared(trained.dataset, folder, trained.best, squeezenet, done.out)


def test_the_shell_script_trains_each_network_by_its_recipe_converts_and_compares(tmp_path):
    make_dataset(tmp_path / "data set")
    done = compare_baseline(
        tmp_path,
        networks="repvgg_tiny squeezenet1_1",
        input_path="data set",
        output_path="out put",
        frames="24",
        train_options=" ".join(f"--set {each}" for each in RECIPE.split()),
        compare_options="--rounds 2 --batch-size 5",
    )
    assert done.returncode == 0, done.stderr
    assert "train squeezenet1_1: reads data set, writes out put/squeezenet1_1" in done.stdout
    folder = tmp_path / "out put"
    rows = read_csv(folder / "comparison.csv")
    for network in ("repvgg_tiny", "squeezenet1_1"):
        files = json.loads((folder / network / "conversion.json").read_text(encoding="utf-8"))["files"]
        assert {Path(file).suffix for file in files} == {".pt", ".onnx", ".xml"}  # all formats were tried
        assert {"TorchScript fp32", "ONNX Runtime fp32", "OpenVINO fp32"} <= {
            row["runs_in"] for row in rows if row["network"] == network
        }
    assert len({row["saving"] for row in rows if row["network"] == "squeezenet1_1"}) == 2  # the last is the baseline


def test_the_shell_script_names_a_data_set_that_is_not_there(tmp_path):
    done = compare_baseline(tmp_path, input_path="nowhere")
    assert done.returncode == 2
    assert done.stderr.startswith("error: nowhere: no data set here; set input_path to a data set")


def test_every_network_is_timed_in_every_runtime_that_passed_the_gate(compared):
    folder = compared.folder
    rows = read_csv(folder / "comparison.csv")
    for network in ("repvgg_tiny", "squeezenet1_1"):
        runtimes = [row["runs_in"] for row in rows if row["network"] == network and row["mode"] == "batches"]
        passed = [
            name for name, (ending, _) in RUNTIMES.items()
            if ending == ".pth" or (folder / network / f"{network}{ending}").is_file()
        ]  # fmt: skip
        assert {"PyTorch fp32", "TorchScript fp32", "ONNX Runtime fp32"} <= set(passed)
        assert set(runtimes) <= set(passed)
        assert {name for name in passed if "bf16" not in name} <= set(runtimes)
        ways = [row["runs_in"] for row in rows if row["network"] == network and row["mode"] == "end to end"]
        assert len(ways) == 2
        assert "Pillow" in ways[0]
        assert ways[1].startswith("predict_repvgg.py: OpenVINO")
    for row in rows:
        assert 0 < float(row["total_s"]) < math.inf
        assert int(row["frames"]) == 24
        assert float(row["total_s"]) == pytest.approx(float(row["ms_mean"]) * 24 / 1000)
        assert bool(row["ms_p95"]) == (row["mode"] == "one at a time" or "Pillow" in row["runs_in"])
        if row["mode"] == "one at a time":
            assert float(row["ms_p50"]) <= float(row["ms_p95"])


def test_savings_are_of_the_baseline_in_the_same_runtime(compared):
    rows = read_csv(compared.folder / "comparison.csv")
    of = {(row["network"], row["runs_in"], row["mode"]): row for row in rows}
    for (network, runtime, mode), row in of.items():
        if mode == "end to end":
            baseline = next(each for each in rows if each["network"] == "squeezenet1_1" and each["mode"] == mode)
        elif runtime in ("TorchScript bf16", "OpenVINO INT8"):  # formats that the baseline has not
            assert ("squeezenet1_1", runtime, mode) not in of
            assert row["saving"] == ""
            continue
        else:
            baseline = of["squeezenet1_1", runtime, mode]
        expected = 1 - float(row["total_s"]) / float(baseline["total_s"])
        assert float(row["saving"]) == pytest.approx(expected, abs=1e-9), (network, runtime, mode)
        assert float(row["saving_min"]) - 1e-9 <= float(row["saving"]) <= float(row["saving_max"]) + 1e-9


def test_the_accuracy_is_that_of_validation(compared, run):
    rows = read_csv(compared.folder / "comparison.csv")
    shown = {row["top1"] for row in rows if row["network"] == "repvgg_tiny" and row["runs_in"] == "TorchScript fp32"}
    validated = run("src/main_predict.py", "-w", compared.repvgg, "-i", compared.data / "val.txt")
    assert [f"{100 * float(share):.2f}" in validated.out for share in shown] == [True]


def test_what_the_comparison_prints_and_writes(compared):
    folder, out = compared.folder, compared.out
    assert "Networks, with the accuracy that their training measured" in out
    assert "The network alone: 24 frames" in out
    markdown = (folder / "comparison.md").read_text(encoding="utf-8")
    assert "| repvgg_tiny | 32x32 |" in markdown
    assert f"| {parameter_count(build_model('repvgg_tiny', 3)):,} |" in markdown
    for name in ("times.png", "accuracy.png"):
        assert min(size_of(folder / name)) > 300
    assert sorted(path.name for path in folder.iterdir()) == [
        "accuracy.png", "comparison.csv", "comparison.md", "repvgg_tiny", "squeezenet1_1", "times.png",
    ]  # fmt: skip


def test_a_conversion_is_not_done_again(compared, tmp_path, run):
    folder = tmp_path / "again"
    shutil.copytree(compared.folder, folder)
    before = {path: path.stat().st_mtime_ns for path in folder.glob("*/*.*")}
    arguments = ["-w", compared.squeezenet, compared.repvgg, "-i", compared.data, "-o", folder, "--frames", 4]
    done = run(COMPARE, *arguments, "--runtimes", "onnx-runtime-fp32", "--baseline", "squeezenet1_1")
    assert done.status == 0, done.err
    assert done.out.count("already converted") == 2
    assert {path: path.stat().st_mtime_ns for path in folder.glob("*/*.*")} == before
    rows = read_csv(folder / "comparison.csv")
    assert {row["runs_in"] for row in rows if row["mode"] != "end to end"} == {"ONNX Runtime fp32"}
    assert len({row["saving"] for row in rows if row["network"] == "squeezenet1_1"}) == 2  # 0.0, and the second way


def test_lists_without_labels_and_with_frames_that_cannot_be_read(compared, tmp_path, run):
    names = [line.rpartition(" ")[0] for line in (compared.data / "val.txt").read_text(encoding="utf-8").splitlines()]
    (tmp_path / "new.txt").write_text("".join(f"{name}\n" for name in ["nowhere.jpg", *names[:3]]), encoding="utf-8")
    folder = tmp_path / "out"
    shutil.copytree(compared.folder / "repvgg_tiny", folder / "repvgg_tiny")
    arguments = ["-w", compared.repvgg, "-i", tmp_path / "new.txt", "--root", compared.data, "-o", folder]
    done = run(COMPARE, *arguments, "--frames", 5, "--runtimes", "pytorch-fp32")
    assert done.status == 0, done.err
    assert {row["top1"] for row in read_csv(folder / "comparison.csv")} == {"nan", ""}
    assert not (folder / "accuracy.png").exists()


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        (lambda it: ["-w", it["a"], it["a"]], "a second checkpoint of repvgg_tiny; compare different networks"),
        (lambda it: ["-w", it["a"], it["other"]], "its classes, or their order, differ from those of"),
        (lambda it: ["-w", it["a"], "--baseline", "vgg"], "--baseline vgg: not among the networks of -w; give one of"),
        (lambda it: ["-w", "nowhere.pth"], "nowhere.pth: no such checkpoint"),
        (lambda it: ["-w", it["a"], "--frames", "0"], "argument --frames"),
        (lambda it: ["-w", it["a"], "--runtimes", "abacus"], "argument --runtimes: invalid choice: 'abacus'"),
        (lambda it: ["-w", it["a"], "-i", "nowhere.txt"], "nowhere.txt"),
    ],
)
def test_wrong_use_of_the_comparison(compared, tmp_path, run, changes, complaint):
    other = tmp_path / "other.pth"
    save_checkpoint(other, replace(load_checkpoint(compared.squeezenet), class_names=("a", "b", "c")))
    shutil.copytree(compared.folder, tmp_path / "out")
    arguments = changes({"a": compared.repvgg, "other": other})
    done = run(COMPARE, "-i", compared.data, "-o", tmp_path / "out", *arguments)
    assert complaint in done.error


def test_a_checkpoint_that_cannot_be_converted_ends_the_comparison(trained, tmp_path, run, monkeypatch):
    # Here instead of in a process of its own, which loads torch for seconds.
    monkeypatch.setattr(subprocess, "run", lambda command, **_: run_script(*command[1:]))
    broken = tmp_path / "broken.pth"
    checkpoint = load_checkpoint(trained.best)
    # Its record says that it is better than it is: the gate's first row misses, and no format is tried.
    shuffled = {name: torch.rand_like(value) if value.is_floating_point() else value
                for name, value in checkpoint.state_dict.items()}  # fmt: skip
    save_checkpoint(broken, replace(checkpoint, state_dict=shuffled, metrics={"top1": 1.0}))
    for _ in range(2):  # what is left of the first attempt is not taken for a conversion
        done = run(COMPARE, "-w", broken, "-i", trained.dataset, "-o", tmp_path / "out")
        assert done.error == f"{broken}: could not be converted; the reason is above"
    assert (tmp_path / "out/repvgg_tiny/conversion.json").is_file()


def test_a_format_that_missed_the_gate_is_left_out(tmp_path, trained):
    contestant = Contestant(
        "repvgg_tiny", trained.best, load_checkpoint(trained.best), tmp_path, frozenset(), "too bad"
    )
    (tmp_path / "repvgg_tiny_cpp_deploy.pt").write_bytes(b"of an earlier conversion")
    assert contestant.load("TorchScript fp32", 1) is None
    assert contestant.load("PyTorch fp32", 1) is not None
    with pytest.raises(InputError, match="no network has a file for ONNX Runtime fp32 that passed the gate"):
        time_networks([contestant], {}, ["ONNX Runtime fp32"], Amount(1, 1, 1, 1))


def times(*rounds: list[float]) -> Times:
    parts = tuple(np.array(each) for each in rounds)
    return Times(parts, frames=sum(map(len, parts)))


def test_the_tables_of_known_times(trained):
    fast, slow = times([0.001, 0.002], [0.003]), times([0.004, 0.004], [0.004])
    cells = [
        Cell("new", "PyTorch fp32", 0.5, fast, replace(slow)),
        Cell("old", "PyTorch fp32", float("nan"), slow, slow),
    ]
    checkpoint = load_checkpoint(trained.best)
    contestants = [Contestant(name, Path(), checkpoint, Path(), frozenset(), "") for name in ("new", "old")]
    assert ["|".join(row) for row in alone_table(cells, contestants, "old", "Alone").rows] == [
        "PyTorch fp32|new||50.00|2.00|2.00|2.90|0.0|50.0 (25 to 62)|4.00|0.0|0.0 (0 to 0)",
        "PyTorch fp32|old|||4.00|4.00|4.00|0.0||4.00|0.0|",
    ]
    ways = [Way("new", "before", fast), Way("old", "before", slow)]
    assert ways_table(ways, "old", "Ways").rows == [
        ["before", "new", "2.00", "0.0", "50.0 (25 to 62)"],
        ["before", "old", "4.00", "0.0", ""],
    ]
    rows = figures(cells, ways, "old")
    assert [row["saving"] for row in rows] == [0.5, 0, 0, 0, 0.5, 0]


def test_a_runtime_that_the_baseline_has_not_shows_no_saving():
    cells = [Cell("new", "OpenVINO INT8", 1.0, times([1.0]), times([1.0]))]
    row = figures(cells, [], "old")[0]
    assert (row["saving"], row["saving_min"], row["ms_mean"]) == (None, None, 1000)


def test_markdown_and_csv_of_a_table():
    shown = Table("Title", ["Name", "ms"], [["a", "1"]])
    assert shown.markdown() == "### Title\n\n| Name | ms |\n| --- | ---: |\n| a | 1 |\n"
    assert csv_text([{"a": 1.5, "b": None}, {"a": "x, y", "b": 2}]) == 'a,b\n1.5,\n"x, y",2\n'

"""scripts/measure_forms.py: trains each form of a network with each seed, and its errors."""

import csv

import pytest
import torch
from box_frames import make_box_dataset
from conftest import make_dataset, run_script

from game_classifier.models import zoo

SCRIPT = "scripts/measure_forms.py"
SHORT = ("--set", "epochs=1", "--set", "min_steps=2", "--set", "batch_size=2", "--set", "image_size=64")
FORMS = {"": 7_535_293, "_leakyrelu": 7_535_293, "_plain": 7_276_605}  # parameters with 80 classes


@pytest.fixture(autouse=True)
def zoo_of_its_own(monkeypatch):
    """The script adds networks to the zoo of its process, which other tests share."""
    monkeypatch.setattr(zoo, "NETWORKS", dict(zoo.NETWORKS))


def test_each_form_is_trained_with_each_seed_and_a_second_run_goes_on(tmp_path):
    data = make_box_dataset(tmp_path / "boxes", train=4, val=5)
    out = tmp_path / "out"
    done = run_script(SCRIPT, "-i", data, "-o", out, "--seeds", 3, *SHORT)
    assert done.status == 0, done
    assert {name: zoo.parameter_count(zoo.build_model(f"repyolov5s_detector{name}", 80)) for name in FORMS} == FORMS
    best = {form: out / f"repyolov5s_detector{form}_seed3/model/repyolov5s_detector{form}_best.pth" for form in FORMS}
    keys = {form: set(torch.load(path, weights_only=True)["state_dict"]) for form, path in best.items()}
    assert any(".conv_1x1." in key for key in keys[""])
    assert keys["_leakyrelu"] == keys[""]
    assert not any(".conv_1x1." in key for key in keys["_plain"])
    before = {path: path.stat().st_mtime_ns for path in out.rglob("*_last.pth")}
    more = run_script(SCRIPT, "-i", data, "-o", out, "--seeds", 3, 4, *SHORT)
    assert more.status == 0, more
    assert {path: path.stat().st_mtime_ns for path in before} == before
    rows = list(csv.DictReader((out / "forms.csv").open()))
    assert [row["form"] for row in rows] == ["as it is", "LeakyReLU(0.1) for SiLU", "without branches"]
    for row in rows:
        assert float(row["mean"]) == pytest.approx((float(row["seed 3"]) + float(row["seed 4"])) / 2, abs=0.01)
    assert "| without branches" in more.out


def test_the_score_of_a_form_is_that_of_its_best_epoch(tmp_path):
    """A classifier has no SiLU here, so two forms."""
    out = tmp_path / "out"
    short = ("--set", "epochs=2", "--set", "views_per_class=null", "--set", "batch_size=8", "--set", "image_size=64")
    done = run_script(
        SCRIPT, "-n", "repvgg_tiny", "-i", make_dataset(tmp_path / "games"), "-o", out, "--seeds", 0, *short
    )
    assert done.status == 0, done
    for row, name in zip(csv.DictReader((out / "forms.csv").open()), ("repvgg_tiny", "repvgg_tiny_plain"), strict=True):
        with (out / f"{name}_seed0/metrics.csv").open() as file:
            epochs = [float(epoch["top1"]) for epoch in csv.DictReader(file)]
        assert len(epochs) == 2
        assert float(row["mean"]) == pytest.approx(100 * max(epochs))


def test_a_network_without_branches_is_an_error(tmp_path):
    done = run_script(SCRIPT, "-n", "yolov5n_detector", "-i", tmp_path, "-o", tmp_path / "out")
    assert done.status == 2
    assert done.err.startswith("error: yolov5n_detector: has no RepVGG blocks")
    assert not (tmp_path / "out").exists()

"""A network of each family, and one of timm's, through the commands that RepVGG-A0 goes through."""

import json

import numpy as np
import pytest
from conftest import make_dataset

pytestmark = pytest.mark.slow  # each network goes through all commands

SMALL = "image_size=64 train_sizes=[1.0] batch_size=6 min_steps=20 lr=0.005 precision=fp32"
# With so few steps many frames are near calls, which bf16 may answer otherwise.
LENIENT = "gate.bf16_agreement=0.5 gate.top1_drop=0.5"
NETWORKS = {
    "squeezenet1_1": "lr=0.0005 optimizer=adamw",
    "yolov5n": "",
    "repyolov5s": "",
    "esnet_s": "",
    "resnet10t": "",  # not in the zoo's list
}


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return make_dataset(tmp_path_factory.mktemp("families") / "data")


def settings(text: str) -> list[str]:
    return [part for each in text.split() for part in ("--set", each)]


@pytest.mark.parametrize("name", NETWORKS)
def test_a_network_trains_resumes_converts_and_predicts(name, data, tmp_path, run):
    recipe = settings(f"{SMALL} {NETWORKS[name]}")
    train = ["-n", name, "-i", data, "-o", tmp_path / "out", *recipe]
    first = run("src/main_train.py", *train, "--set", "epochs=1")
    assert first.status == 0, first.err
    again = run("src/main_train.py", *train, "--set", "epochs=2", "--resume")
    assert "resumed after epoch 1 of 2" in again.out, again.err

    best = tmp_path / "out" / "model" / f"{name}_best.pth"
    formats = ["pt", "bf16", "onnx", "openvino"]
    done = run("src/main_convert.py", "-w", best, "-o", tmp_path / "pt", "--formats", *formats, *settings(LENIENT))
    assert done.status == 0, done.err
    conversion = json.loads((tmp_path / "pt" / "conversion.json").read_text(encoding="utf-8"))
    assert len(conversion["files"]) == 4
    assert all(row["difference_max"] < 1e-4 for row in conversion["rows"] if row["precision"] == "fp32")

    deployed = tmp_path / "pt" / f"{name}_cpp_deploy.pt"
    for options in ([], ["--runtime", "file"]):
        save = tmp_path / f"npy{len(options)}"
        predicted = run("src/predict_repvgg.py", "-w", deployed, "--input", data / "val.txt", "--save", save, *options)
        assert predicted.status == 0, predicted.err
        rows = np.load(save / "val.npy")
        assert (rows["status"] == 0).all()
        np.testing.assert_allclose(rows["probs"].sum(axis=1), 1, atol=1e-5)
    validated = run("src/main_predict.py", "-w", best, "-i", data / "val.txt")
    assert f"{100 * (rows['pred'] == rows['label']).mean():.2f}" in validated.out

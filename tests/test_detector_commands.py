"""Commands with a detector's file: those for classifiers refuse it, and conversion takes weights of other projects."""

import json

import numpy as np
import pytest
import torch
from box_frames import COLOURS, NETWORK, drawn_frames, untrained
from conftest import run_script
from PIL import Image

import game_classifier
from game_classifier.errors import InputError
from game_classifier.models.checkpoint import save_checkpoint


@pytest.fixture(scope="module")
def detector(tmp_path_factory: pytest.TempPathFactory):
    path = tmp_path_factory.mktemp("detector") / "detector.pth"
    save_checkpoint(path, untrained())
    return path


@pytest.fixture
def frames(tmp_path):
    """A folder of images without labels."""
    (tmp_path / "frames").mkdir()
    for number, frame in enumerate(drawn_frames(2, (128, 96))):
        Image.fromarray(frame).save(tmp_path / "frames" / f"{number}.png")
    return tmp_path / "frames"


@pytest.mark.parametrize(
    ("script", "options"),
    [
        ("src/predict_stream.py", ("-w", "FILE", "--input", "FRAMES/0.png", "--save", "OUT")),
        ("tool/fit_known.py", ("-w", "FILE", "-i", "DATA", "-o", "OUT")),
        ("src/main_train.py", ("-i", "DATA", "-o", "OUT", "--set", "teacher=FILE", "--set", "epochs=1")),
        ("scripts/compare_networks.py", ("-w", "FILE", "-i", "DATA", "-o", "OUT")),
    ],
)
def test_commands_for_classifiers_refuse_a_detectors_file(tmp_path, trained, detector, frames, script, options):
    names = {"FILE": detector, "FRAMES": frames, "DATA": trained.dataset, "OUT": tmp_path / "out"}
    for name, value in names.items():
        options = [option.replace(name, str(value)) for option in options]
    said = run_script(script, *options).error
    assert said.endswith(f"detector.pth: its network {NETWORK} is not a classifier; give the file of a classifier")


def test_the_python_interface_refuses_a_detectors_file(detector):
    with pytest.raises(InputError, match=r"detector\.pth: its network yolov5n_detector is not a classifier"):
        game_classifier.load(detector)


def test_weights_of_another_project_are_prepared_as_the_recipe_of_detectors_says(tmp_path, detector, frames):
    (tmp_path / "classes.txt").write_text("".join(f"{name} {index}\n" for index, name in enumerate(COLOURS)))
    torch.save(untrained().state_dict, tmp_path / "weights.pth")
    options = ("-w", tmp_path / "weights.pth", "--network", NETWORK, "-c", tmp_path / "classes.txt", "-i", frames)
    options += ("-o", tmp_path / "out", "--formats", "pt")
    refused = run_script("src/main_convert.py", *options, "--set", "image_size=[64,100]")
    assert "image_size [64, 100]: yolov5n_detector needs sides that are multiples of 32" in refused.error
    done = run_script("src/main_convert.py", *options, "--set", "image_size=64")
    assert done.status == 0, done.err
    extra = {"meta.json": ""}
    module = torch.jit.load(str(tmp_path / "out" / f"{NETWORK}_cpp_deploy.pt"), _extra_files=extra)
    prepared = json.loads(extra["meta.json"])["preprocessing"]
    assert prepared == {"height": 64, "width": 64, "resize": "letterbox", "mean": [0.0] * 3, "std": [1.0] * 3}
    boxes, scores = module(torch.from_numpy(np.stack([np.asarray(Image.open(frames / "0.png"))])))
    assert (boxes.shape, scores.shape) == ((1, 252, 4), (1, 252, 3))


def test_golden_frames_need_a_file_that_resizes(tmp_path, detector, frames):
    options = ("-w", detector, "-i", frames, "-o", tmp_path / "out", "--formats", "openvino", "--golden", 1)
    assert "--golden: it holds whole frames, and only pt and bf16 files resize all; add pt to --formats" in (
        run_script("src/main_convert.py", *options).error
    )
    assert not (tmp_path / "out").exists()

"""Each command as a user runs it: what it prints, and the one line and status 2 for each kind of bad input."""

import errno
import os
import re
import shutil
import subprocess
import sys
from collections import Counter

import numpy as np
import onnx
import pytest
import torch
from conftest import CLASSES, NETWORK, ROOT, make_class_folders, make_dataset
from PIL import Image

from game_classifier.models.checkpoint import load_checkpoint, save_checkpoint
from game_classifier.models.fold import fold
from game_classifier.runtime.runner import load_runner

MAINS = ("main_train", "main_convert", "main_predict", "predict_repvgg")
TOOLS = ("split_data", "get_annotation", "import_list", "shard_list", "record_games", "record_backgrounds")


@pytest.fixture
def data(tmp_path):
    return make_dataset(tmp_path / "data", train=2, val=1)


@pytest.fixture
def train(run, tmp_path):
    """Run main_train.py on a data set with a recipe of a second."""

    def run_training(data, *arguments):
        small = [
            f"network={NETWORK}",
            "image_size=32",
            "train_sizes=[1.0]",
            "epochs=1",
            "batch_size=2",
            "min_steps=1",
            "lr=0.01",
        ]
        options = [part for each in small for part in ("--set", each)]
        return run("src/main_train.py", "-i", data, "-o", tmp_path / "out", *options, *arguments)

    return run_training


def test_from_class_folders_to_classified_images(tmp_path, run):
    source, data, out = make_class_folders(tmp_path / "games"), tmp_path / "datasets2", tmp_path / "out"
    split = run("tool/split_data.py", "--source", source, "--out", data, "--group-by", r"(?P<group>.*)_\d+\.jpg")
    assert "| 蓝色        |     2 |     4 |   2 |" in split.out
    assert "3 classes, 18 images in" in split.out
    lists = run("tool/get_annotation.py", "--dataset", data)
    assert "| 蓝色        |     2 |     4 |   2 |" in lists.out
    small = ["image_size=32", "train_sizes=[1.0]", "epochs=1", "batch_size=6", "min_steps=60", "lr=0.005"]
    options = [part for each in small for part in ("--set", each)]
    trained = run("src/main_train.py", "-n", "repvgg_tiny", "-i", data, "-o", out, *options)
    assert "3 classes, 12 training frames, 6 validation frames" in trained.out
    assert "Epoch 1 of 1" in trained.out
    best = out / "model" / "repvgg_tiny_best.pth"
    converted = run("src/main_convert.py", "-w", best, "-c", 3, "-o", tmp_path / "pt", "--formats", "pt")
    assert "written:" in converted.out
    deploy = tmp_path / "pt" / "repvgg_tiny_cpp_deploy.pt"
    image = source / "green" / "0_0.jpg"
    classified = run("src/main_predict.py", "-w", deploy, "-i", image, image)
    assert classified.out.count(str(image)) == 2
    assert classified.out.splitlines()[5].startswith("| green ")


def test_an_unlabelled_list_gives_a_summary_of_what_was_predicted(tmp_path, run, trained):
    lines = (trained.dataset / "val.txt").read_text(encoding="utf-8").splitlines()
    unlabelled = tmp_path / "new.txt"
    unlabelled.write_text("\n".join(line.rpartition(" ")[0] for line in lines) + "\n", encoding="utf-8")
    arguments = ("-w", trained.best, "--input", unlabelled, "--root", trained.dataset, "--save", tmp_path / "npy")
    outcome = run("src/predict_repvgg.py", *arguments)
    assert outcome.status == 0
    assert "Predicted" in outcome.out
    assert "Top-1" not in outcome.out
    scored = run("src/main_predict.py", "-w", trained.best, "-i", unlabelled)
    assert "no line has a class index" in scored.error


@pytest.mark.slow
def test_a_command_works_from_any_folder_in_a_process_of_its_own(tmp_path, trained):
    done = subprocess.run(
        [sys.executable, ROOT / "src" / "main_predict.py", "-w", trained.best, "-i", trained.dataset / "val.txt"],
        cwd=tmp_path,
        env={key: value for key, value in os.environ.items() if key != "PYTHONPATH"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert "Top-1 Acc" in done.stdout
    bad = subprocess.run(
        [sys.executable, ROOT / "src" / "main_convert.py", "-w", tmp_path / "none.pth"], capture_output=True, text=True
    )
    assert bad.returncode == 2
    assert bad.stderr.startswith(f"error: {tmp_path}/none.pth: no such checkpoint; ")
    assert bad.stderr.count("\n") == 1


@pytest.mark.parametrize("script", [*(f"src/{name}.py" for name in MAINS), *(f"tool/{name}.py" for name in TOOLS)])
def test_help_describes_the_command_and_wrong_use_is_one_line(run, script):
    shown = run(script, "--help")
    assert shown.status == 0
    assert "python " + script in shown.out
    wrong = run(script, "--no-such-option")
    assert wrong.status == 2
    assert len(wrong.err.strip().splitlines()) == 1
    assert wrong.err.startswith("error: ")


@pytest.mark.parametrize("kind", ["bench", "compare", "measure"])
def test_help_of_the_scripts_that_measure(run, kind):
    scripts = sorted(path.name for path in (ROOT / "scripts").glob(f"{kind}_*.py"))
    assert scripts
    for script in scripts:
        shown = run(f"scripts/{script}", "--help")
        assert shown.status == 0
        assert f"python scripts/{script}" in shown.out


def test_split_errors(tmp_path, run):
    def split(source, *arguments):
        return run("tool/split_data.py", "--source", source, "--out", tmp_path / "out", *arguments).error

    assert "none: no such folder" in split(tmp_path / "none")
    (tmp_path / "bare").mkdir()
    assert "bare: holds no class folders" in split(tmp_path / "bare")
    source = make_class_folders(tmp_path / "games")
    (source / "empty").mkdir()
    assert "empty: class folder with no images; add images or remove the folder" in split(source)
    shutil.copy(source / "green" / "0_0.jpg", source / "empty" / "0_0.jpg")
    assert "class 'empty' has only one image" in split(source)
    assert "give shares above 0" in split(source, "--val-rate", 1.5)
    assert "give shares above 0" in split(source, "--val-rate", 0.6, "--test-rate", 0.4)
    assert "give at least 2" in split(source, "--folds", 1)
    assert "--folds with --test-rate" in split(source, "--folds", 3, "--test-rate", 0.1)
    assert "give one of the two" in split(source, "--group-by", "parent", "--time-blocks", 3)
    assert "--group-by" in split(source, "--group-by", "(")
    assert not (tmp_path / "out").exists()
    shutil.rmtree(source / "empty")
    (tmp_path / "out").write_text("a file")
    assert "out: cannot be written" in split(source)


def test_annotation_errors(tmp_path, run, data):
    def annotate(*arguments):
        return run("tool/get_annotation.py", "--dataset", data, *arguments).error

    (data / "annotations.txt").write_text("green 0\n\n", encoding="utf-8")
    assert "annotations.txt:2: blank line" in annotate()
    (data / "annotations.txt").unlink()
    shutil.rmtree(data / "val")
    assert "val: no such folder" in annotate()


@pytest.mark.parametrize(
    ("name", "line", "message"),
    [
        ("train.txt", "1", "train.txt:1: '1' is a class index without a path"),
        ("train.txt", "train/green/0_0.jpg 3", "train.txt:1: class 3 is out of range, the 3 classes are 0 to 2"),
        ("val.txt", "val/green/none.jpg 0", "val.txt:1: no such file: "),
        ("val.txt", "val/green/100.jpg", "val.txt:1: no class index after the path"),
        ("annotations.txt", "green 5", "annotations.txt: no class has index 0"),
        ("annotations.txt", "green 1", "annotations.txt:2: index 1 already belongs to 'green'"),
        ("annotations.txt", "", "annotations.txt:1: blank line"),
    ],
)
def test_a_wrong_first_line_of_a_data_set_stops_training(train, data, name, line, message):
    lines = (data / name).read_text(encoding="utf-8").splitlines()
    (data / name).write_text("\n".join([line, *lines[1:]]) + "\n", encoding="utf-8")
    assert message in train(data).error


def test_training_errors(tmp_path, run, train, data):
    assert "none: no such folder" in train(tmp_path / "none").error
    assert "unknown key 'epoch'" in train(data, "--set", "epoch=3").error
    assert "epochs: input should be a valid integer" in train(data, "--set", 'epochs="3"').error
    assert "network 'repvg_a0' is not known; try repvgg_a0" in train(data, "-n", "repvg_a0").error
    assert "none.json: no such file" in train(data, "--config", tmp_path / "none.json").error
    assert "device 'tpu': this machine has no such device" in train(data, "--set", "device=tpu").error
    assert "precision 'fp16'" in train(data, "--set", "device=cpu", "--set", "precision=fp16").error
    (data / "annotations.txt").unlink()
    assert "annotations.txt: no such file; tool/get_annotation.py writes" in train(data).error
    (tmp_path / "file").write_text("")
    full = run("src/main_train.py", "-i", make_dataset(tmp_path / "more", 1, 1), "-o", tmp_path / "file" / "out")
    assert "cannot be written" in full.error


def test_conversion_errors(tmp_path, run, trained):
    def convert(weights, *arguments):
        return run("src/main_convert.py", "-w", weights, "-o", tmp_path / "pt", "--formats", "pt", *arguments).error

    assert f"-c 2: {trained.best} has 3 classes; give -c 3 or leave -c out" in convert(trained.best, "-c", 2)
    (tmp_path / "text.pth").write_text("hello")
    assert "text.pth: not a checkpoint" in convert(tmp_path / "text.pth")
    torch.save({"state_dict": {}}, tmp_path / "foreign.pth")
    assert "not a checkpoint of this tool (it holds state_dict)" in convert(tmp_path / "foreign.pth")
    (tmp_path / "classes.txt").write_text("one 0\ntwo 1\nthree 2\n")
    other_classes = convert(trained.best, "-c", tmp_path / "classes.txt")
    assert "classes.txt: its classes, or their order, differ from those of" in other_classes
    assert "hold no class names; give the class file with -c FILE" in convert(trained.best, "--network", "repvgg_tiny")
    elsewhere = load_checkpoint(trained.best)
    elsewhere.data = {"folder": str(tmp_path / "gone")}
    save_checkpoint(tmp_path / "elsewhere.pth", elsewhere)
    assert "is not here; give frames to test the conversion on with -i" in convert(tmp_path / "elsewhere.pth")
    (tmp_path / "empty").mkdir()
    assert "empty: holds no images" in convert(trained.best, "-i", tmp_path / "empty")
    (tmp_path / "lost.txt").write_text("lost.jpg\n")
    assert "lost.txt: none of 1 frames could be read" in convert(trained.best, "-i", tmp_path / "lost.txt")
    assert "gate.frames: input should be greater than or equal to 1" in convert(trained.best, "--set", "gate.frames=0")
    assert "argument --formats: invalid choice: 'tflite'" in convert(trained.best, "--formats", "tflite")
    assert not (tmp_path / "pt").exists()
    (tmp_path / "pt").write_text("a file")
    assert "pt: cannot be written" in convert(trained.best)


@pytest.mark.slow
def test_what_a_conversion_writes_on_request(tmp_path, run, trained):
    options = ("-o", tmp_path, "--formats", "pt", "onnx", "--golden", 2, "--draw")
    converted = run("src/main_convert.py", "-w", trained.best, "-i", trained.dataset / "val", *options)
    assert converted.status == 0, converted.err
    assert "| conv2d              |         14 |           7 |" in converted.out
    assert re.search(r"\| ONNX Runtime +\| fp32 ", converted.out)
    names = [f"repvgg_tiny{end}" for end in (".onnx", "_block.png", "_cpp_deploy.pt", "_golden")]
    names += [f"repvgg_tiny_{form}_form.onnx" for form in ("train", "deploy")]
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([*names, "conversion.json"])
    assert {path.name for path in (tmp_path / "repvgg_tiny_golden").iterdir()} == {"0.ppm", "1.ppm", "golden.json"}
    with Image.open(tmp_path / "repvgg_tiny_block.png") as picture:
        assert picture.width > 800
    kinds = [
        Counter(node.op_type for node in onnx.load(tmp_path / f"repvgg_tiny_{form}_form.onnx").graph.node)
        for form in ("train", "deploy")
    ]
    assert [(kind["Conv"], kind["BatchNormalization"]) for kind in kinds] == [(14, 16), (7, 0)]
    validated = run("src/main_predict.py", "-w", tmp_path / "repvgg_tiny.onnx", "-i", trained.dataset / "val.txt")
    assert "repvgg_tiny.onnx with ONNX Runtime in fp32 on cpu" in validated.out


def test_weights_from_elsewhere_convert_with_their_class_file(tmp_path, run, trained):
    known = load_checkpoint(trained.best)
    torch.save(known.state_dict, tmp_path / "timm.pth")
    options = ("-o", tmp_path / "out", "--formats", "pt", "--network", "repvgg_tiny", "--set", "image_size=32")
    options += ("-i", trained.dataset)
    classes = trained.dataset / "annotations.txt"
    converted = run("src/main_convert.py", "-w", tmp_path / "timm.pth", "-c", classes, *options)
    assert "weights of timm:" in converted.out
    deployed = load_runner(tmp_path / "out" / "repvgg_tiny_cpp_deploy.pt", "cpu")
    frames = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3), dtype=np.uint8)
    np.testing.assert_allclose(deployed(frames), load_runner(trained.best, "cpu")(frames), atol=1e-6)
    (tmp_path / "two.txt").write_text("one 0\ntwo 1\n")
    fewer = run("src/main_convert.py", "-w", tmp_path / "timm.pth", "-c", tmp_path / "two.txt", *options)
    assert "its classifier does not have the 2 classes given (new (3 classes there, 2 here))" in fewer.error
    torch.save(fold(known.build()).state_dict(), tmp_path / "deploy.pth")
    folded = run("src/main_convert.py", "-w", tmp_path / "deploy.pth", "-c", classes, *options)
    assert "deploy.pth: a deploy-form file" in folded.error
    scripted = run("src/main_convert.py", "-w", tmp_path / "out" / "repvgg_tiny_cpp_deploy.pt", *options[:2])
    assert "a deployed file (TorchScript), not a checkpoint; give the .pth" in scripted.error


def test_prediction_errors(tmp_path, run, trained):
    def validate(*paths):
        return run("src/main_predict.py", "-w", trained.best, "-i", *paths).error

    def predict(*arguments):
        return run("src/predict_repvgg.py", "-w", trained.best, "--save", tmp_path / "npy", *arguments).error

    image = next(trained.dataset.rglob("*.jpg"))
    assert "none.txt: no such file" in validate(tmp_path / "none.txt")
    assert "none.jpg: cannot be read as an image (missing)" in validate(tmp_path / "none.jpg")
    assert "give this list alone" in validate(image, trained.dataset / "val.txt")
    (tmp_path / "wrong.txt").write_text("a.jpg 0\n7\n")
    assert "wrong.txt:2: '7' is a class index without a path" in validate(tmp_path / "wrong.txt")
    assert "none: no such file or folder; give a list" in predict("--input", tmp_path / "none")
    (tmp_path / "bare").mkdir()
    assert "bare: holds no images; give a list" in predict("--input", tmp_path / "bare")
    assert "--input is missing" in predict()
    assert "wrong.txt:2" in predict("--input", tmp_path / "wrong.txt")
    assert not (tmp_path / "npy").exists()
    assert "none: no finished predictions" in run("src/predict_repvgg.py", "--summarize", tmp_path / "none").error
    (tmp_path / "npy").write_text("a file")
    assert "npy: cannot be written" in predict("--input", trained.dataset / "val.txt")
    for number in ("0", "-1", "1.5", "many"):
        wrong = run("src/main_predict.py", "-w", "x", "-i", "y", f"--batch-size={number}").err
        assert f"argument --batch-size: '{number}' is not a whole number of at least 1" in wrong


def test_file_names_of_any_bytes_are_predicted_and_named(tmp_path, run, trained):
    good, bad = (tmp_path / os.fsdecode(name) for name in (b"caf\xe9.jpg", b"caf\xe8.jpg"))
    shutil.copy(next(trained.dataset.rglob("*.jpg")), good)
    bad.write_bytes(b"no image")
    (tmp_path / "list.txt").write_bytes(b"caf\xe9.jpg 0\ncaf\xe8.jpg 1\n")
    arguments = ("-w", trained.best, "--input", tmp_path / "list.txt", "--save", tmp_path / "npy")
    for _ in range(2):  # the second time from the manifest
        outcome = run("src/predict_repvgg.py", *arguments)
        assert outcome.status == 0
        assert r"list.txt:2: " in outcome.out
        assert r"caf\udce8.jpg: not_an_image" in outcome.out
    validated = run("src/main_predict.py", "-w", trained.best, "-i", tmp_path / "list.txt")
    assert r"caf\udce8.jpg: not_an_image" in validated.out


def test_a_full_disk_is_one_line_and_keeps_the_old_file(tmp_path, run, trained, monkeypatch):
    arguments = ("-w", trained.best, "--input", trained.dataset / "val.txt", "--save", tmp_path / "npy")
    assert run("src/predict_repvgg.py", *arguments).status == 0
    before = (tmp_path / "npy" / "results" / "per_class.npy").read_bytes()

    def full(*_, **__):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(np, "save", full)
    assert "No space left on device" in run("src/predict_repvgg.py", *arguments).error
    assert (tmp_path / "npy" / "results" / "per_class.npy").read_bytes() == before


def test_class_names_hold_any_script():
    assert any(" " in name for name in CLASSES)
    assert any(not name.isascii() for name in CLASSES)

"""Conversion: every format answers as the checkpoint does, and a form that does not is refused."""

import copy
import json
import shutil
from dataclasses import replace
from itertools import chain
from pathlib import Path

import numpy as np
import onnxruntime
import openvino as ov
import pytest
import torch
from conftest import NETWORK, draw_frame
from test_models import randomise_batch_norms

from game_classifier.config import GateConfig
from game_classifier.deploy import export, forms, openvino_file, quantize
from game_classifier.deploy.export import convert
from game_classifier.deploy.frame_sets import gate_frames
from game_classifier.deploy.gate import GateFrames
from game_classifier.deploy.golden import write_golden
from game_classifier.errors import InputError
from game_classifier.frames.decode import Preprocessing, resize_frame
from game_classifier.lists.filelist import read_file_list
from game_classifier.models.checkpoint import Checkpoint, load_checkpoint
from game_classifier.models.zoo import build_model
from game_classifier.runtime.metadata import Metadata, Row, read_metadata
from game_classifier.runtime.openvino_file import compile_openvino, read_openvino
from game_classifier.runtime.runner import load_runner
from game_classifier.tasks.choose import task_of

TASK = task_of(NETWORK)
NAMES = ("space invaders", "乒乓", "Ms. Pac-Man")
FILES = {
    "pt": ["repvgg_tiny_cpp_deploy.pt"],
    "bf16": ["repvgg_tiny_cpp_deploy_bf16.pt"],
    "onnx": ["repvgg_tiny.onnx"],
    "openvino": ["repvgg_tiny_openvino.bin", "repvgg_tiny_openvino.xml"],
    "int8": ["repvgg_tiny_openvino_int8.bin", "repvgg_tiny_openvino_int8.xml"],
}


def checkpoint(name: str = NETWORK, **preprocessing) -> Checkpoint:
    torch.manual_seed(0)
    network = randomise_batch_norms(build_model(name, 3))
    if name.startswith("repvgg"):  # random layers multiply up to logits whose softmax hides every difference
        with torch.inference_mode():
            network.head.fc.weight /= network(torch.randn(2, 3, 64, 64)).std()
    return Checkpoint(name, NAMES, Preprocessing(64, 64, **preprocessing), network.state_dict(), 5, {"top1": 0.75})


def drawn_frames(count: int = 6, side: int = 64, first: int = 0) -> GateFrames:
    frames = [np.asarray(draw_frame(number % 3, first + number, (side, side))) for number in range(count)]
    return GateFrames(np.stack(frames), np.arange(count) % 3)


def converted(folder: Path, **preprocessing) -> Path:
    """The .pt file of `checkpoint`."""
    return convert(checkpoint(**preprocessing), folder, drawn_frames()).files[0]


def listing(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize(
    ("name", "resize"),
    [
        *((NETWORK, resize) for resize in ("squash", "letterbox", "center_crop")),
        pytest.param("repvgg_a0", "squash", marks=pytest.mark.slow),
    ],
)
def test_the_deploy_file_answers_as_the_checkpoint_does_on_frames_of_any_size(tmp_path, name, resize):
    conversion = convert(checkpoint(name, resize=resize), tmp_path, drawn_frames())
    assert listing(tmp_path) == ["conversion.json", f"{name}_cpp_deploy.pt"]
    assert conversion.parameters_deployed < conversion.parameters_trained
    assert 0 < conversion.fold_difference < 1e-12
    module = torch.jit.load(str(conversion.files[0]))  # as a C++ service does: no code of ours
    trained = checkpoint(name, resize=resize).build().double()
    size = Preprocessing(64, 64, resize)
    for shape in ((720, 1280), (90, 160), (64, 64), (200, 100)):
        frames = torch.from_numpy(np.stack([np.asarray(draw_frame(i, 0, shape[::-1])) for i in range(3)]))
        with torch.inference_mode():
            probabilities = module(frames)
            pixels = export.FrameNetwork(torch.nn.Identity(), size).pixels(frames)
            expected = trained(pixels.double()).softmax(1)
        assert probabilities.dtype == torch.float32
        torch.testing.assert_close(probabilities.double(), expected, atol=1e-5, rtol=0)


@pytest.mark.slow
def test_repvgg_a0_in_every_format(tmp_path):
    """The gate judges each; a wide and deep network may round otherwise than a tiny one."""
    known, frames = checkpoint("repvgg_a0"), drawn_frames(12)
    # Random weights have no sure answers to keep, so what they lose in bf16 and INT8 is bounded below instead.
    loose = GateConfig(bf16_agreement=0, int8_agreement=0, top1_drop=1)
    formats = forms.installed_formats()
    conversion = convert(known, tmp_path, frames, formats=formats, calibration=frames.frames, limits=loose)
    assert listing(tmp_path) == sorted(
        ["conversion.json", *(file.replace(NETWORK, "repvgg_a0") for file in chain(*FILES.values()))]
    )
    assert conversion.parameters_deployed < conversion.parameters_trained
    with torch.inference_mode():
        module = export.FrameNetwork(export.answering(known.build()), known.preprocessing).eval()
        expected = module(torch.from_numpy(frames.frames)).numpy()
    for path in conversion.files:
        classifier = load_runner(path, "cpu")
        tolerance = {"fp32": 1e-4, "bf16": 0.1, "int8": 0.35}[classifier.precision]
        assert abs(classifier(frames.frames) - expected).max() < tolerance, path


@pytest.mark.slow
def test_squeezenet_converts_too(tmp_path):
    conversion = convert(checkpoint("squeezenet1_1"), tmp_path, drawn_frames(), formats=["pt", "onnx", "openvino"])
    assert conversion.parameters_deployed == conversion.parameters_trained
    assert {load_runner(path, "cpu").class_names[1] for path in conversion.files} == {"乒乓"}


def test_every_format_is_written_and_answers_as_the_trained_network_does(everything, trained):
    folder = everything.files[0].parent
    assert listing(folder) == sorted(["conversion.json", *chain(*FILES.values())])
    reference = load_runner(trained.best, "cpu")
    frames = drawn_frames(12, side=32, first=500).frames
    expected = reference(frames)
    for path, runs_in in zip(everything.files, ("fp32", "bf16", "fp32", None, "int8"), strict=True):
        classifier = load_runner(path, "cpu")
        assert (classifier.class_names, classifier.preprocessing) == (reference.class_names, reference.preprocessing)
        assert runs_in in (classifier.precision, None)
        answers = classifier(frames)
        assert (answers.dtype, answers.shape) == (np.float32, (12, 3))
        np.testing.assert_allclose(answers.sum(axis=1), 1, atol=1e-5)
        tolerance = {"fp32": 1e-5, "bf16": 0.1, "int8": 0.35}[classifier.precision]
        assert abs(answers - expected).max() < tolerance, path
        np.testing.assert_array_equal(classifier(frames[:5]).argmax(1), answers[:5].argmax(1))
    exact = load_runner(everything.files[3], "cpu", "fp32")
    assert exact.precision == "fp32"
    np.testing.assert_allclose(exact(frames), expected, atol=1e-5)


def test_the_table_is_in_conversion_json_and_in_every_file(everything):
    folder = everything.files[0].parent
    values = json.loads((folder / "conversion.json").read_text(encoding="utf-8"))
    rows = [Row.from_dict(row) for row in values["rows"]]
    assert tuple(rows) == everything.rows
    assert values["files"] == [path.name for path in everything.files]
    assert {row.step for row in rows} > {"trained", "folded", "TorchScript", "ONNX Runtime", "OpenVINO"}
    sizes = [path.stat().st_size / 1e6 for path in everything.files[:2]]
    # Judged before the table was in them, which is a few kilobytes.
    stated = [row.megabytes for row in rows if row.step == "TorchScript"]
    assert stated == pytest.approx(sizes, abs=0.01)
    extra = {"meta.json": "", "class_names.txt": ""}
    torch.jit.load(str(everything.files[0]), _extra_files=extra)
    assert extra["class_names.txt"].decode() == "".join(f"{name}\n" for name in ("green", "red stripes", "蓝色"))
    session = onnxruntime.InferenceSession(str(everything.files[2]))
    model = ov.Core().read_model(everything.files[3])
    texts = [
        extra["meta.json"],
        session.get_modelmeta().custom_metadata_map["meta.json"],
        model.get_rt_info(["game_classifier", "meta.json"]).astype(str),
    ]
    for text in texts:
        metadata = read_metadata(Path("x"), text)
        assert metadata.rows == everything.rows
        assert metadata.class_names == ("green", "red stripes", "蓝色")
        assert metadata.weights_sha256 == values["weights_sha256"]
        assert json.loads(text)["input"] == "uint8 RGB [N, H, W, 3], any H and W"


def test_onnx_and_openvino_resize_whole_frames_inside(everything, trained):
    frames = np.stack([np.asarray(draw_frame(i, 700 + i, (160, 90))) for i in range(3)])
    expected = load_runner(everything.files[0], "cpu")(frames)  # its resizing is proved above
    session = onnxruntime.InferenceSession(str(everything.files[2]))
    np.testing.assert_allclose(session.run(None, {"frames": frames})[0], expected, atol=0.02)
    model = ov.Core().compile_model(
        ov.Core().read_model(everything.files[3]), "CPU", {"INFERENCE_PRECISION_HINT": "f32"}
    )
    np.testing.assert_allclose(model(frames)[0], expected, atol=0.02)


@pytest.mark.parametrize("ending", ["_openvino.xml", "_openvino_int8.xml"])
def test_openvino_reorders_and_resizes_no_frame_of_the_right_size(everything, ending):
    """Each would be a copy of all frames, of which narrow networks notice a tenth of their time."""
    (path,) = (path for path in everything.files if path.name.endswith(ending))
    compiled = compile_openvino(read_openvino(path)[0], "fp32", threads=1, batch_size=4)
    layers = {node.get_rt_info()["layerType"].astype(str) for node in compiled.get_runtime_model().get_ops()}
    assert "Convolution" in layers
    assert not {"Interpolate", "Transpose"} & layers


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("g++"), reason="AOTInductor needs a C++ compiler, and there is no g++")
def test_a_compiled_file(tmp_path):
    frames = drawn_frames()
    conversion = convert(checkpoint("squeezenet1_1"), tmp_path, frames, formats=["pt", "pt2"])
    assert listing(tmp_path) == ["conversion.json", "squeezenet1_1.pt2", "squeezenet1_1_cpp_deploy.pt"]
    script, compiled = (load_runner(path, "cpu") for path in conversion.files)
    assert (compiled.class_names, compiled.preprocessing, compiled.precision) == (NAMES, script.preprocessing, "fp32")
    np.testing.assert_allclose(compiled(frames.frames[:3]), script(frames.frames[:3]), atol=1e-5)
    (tmp_path / "half.pt2").write_bytes(conversion.files[1].read_bytes()[:5000])
    with pytest.raises(InputError, match=r"half.pt2: not a compiled file for this machine"):
        load_runner(tmp_path / "half.pt2")


def said_of_input(path: Path) -> str:
    if path.suffix == ".onnx":
        text = onnxruntime.InferenceSession(str(path)).get_modelmeta().custom_metadata_map["meta.json"]
    else:
        text = ov.Core().read_model(path).get_rt_info(["game_classifier", "meta.json"]).astype(str)
    return json.loads(text)["input"]


def test_onnx_letterboxes_whole_frames_inside_and_openvino_leaves_it_to_the_caller(tmp_path):
    conversion = convert(checkpoint(resize="letterbox"), tmp_path, drawn_frames(), formats=["pt", "onnx", "openvino"])
    script, onnx, openvino = conversion.files
    assert said_of_input(onnx) == "uint8 RGB [N, H, W, 3], any H and W"
    session = onnxruntime.InferenceSession(str(onnx))
    for width, height in ((160, 90), (90, 160), (333, 41)):
        frames = np.stack([np.asarray(draw_frame(i, i, (width, height))) for i in range(3)])
        expected = load_runner(script, "cpu")(frames)
        np.testing.assert_allclose(session.run(None, {"frames": frames})[0], expected, atol=0.005)
        squashed = np.stack([resize_frame(frame, Preprocessing(64, 64)) for frame in frames])
        assert abs(load_runner(script, "cpu")(squashed) - expected).max() > 0.1  # the tolerance is no chance
    said = said_of_input(openvino)
    assert said.startswith(
        "uint8 RGB [N, 64, 64, 3]: scaled to fit 64x64 in their own shape, centred, padded with black"
    )


def test_cropping_stays_with_the_caller_of_onnx(tmp_path):
    conversion = convert(checkpoint(resize="center_crop"), tmp_path, drawn_frames(), formats=["onnx"])
    assert said_of_input(conversion.files[0]).startswith("uint8 RGB [N, 64, 64, 3]: scaled to cover 64x64")
    session = onnxruntime.InferenceSession(str(conversion.files[0]))
    with pytest.raises(Exception, match="Got invalid dimensions"):
        session.run(None, {"frames": np.zeros((1, 90, 160, 3), np.uint8)})


# What can go wrong in a conversion, planted: (format, how, what the message says)


def _train_mode(monkeypatch):
    script = forms.script
    monkeypatch.setattr(forms, "script", lambda network, size: script(checkpoint().build().train(), size))


def _lost_branch(monkeypatch):
    def lose(network):
        network = copy.deepcopy(network)
        torch.nn.init.zeros_(network.stages[2][1].conv_1x1.conv.weight)
        return fold(network)

    fold = export.fold
    monkeypatch.setattr(export, "fold", lose)


def _lost_branch_in_float64(monkeypatch):
    def lose(network):
        network = copy.deepcopy(network)
        network.stages[2][1].conv_1x1.conv.weight.data *= 1 + 1e-6
        return fold(network)

    fold = export.fold_float64
    monkeypatch.setattr(export, "fold_float64", lose)


def _permuted_classes(monkeypatch):
    def reverse(known, output):
        metadata = of_checkpoint(known, output)
        return replace(metadata, class_names=metadata.class_names[::-1])

    of_checkpoint = Metadata.of_checkpoint
    monkeypatch.setattr(export.Metadata, "of_checkpoint", reverse)


class _Swapped(torch.nn.Module):
    def __init__(self, network):
        super().__init__()
        self.network = network

    def forward(self, pixels):
        return self.network(pixels.flip(1))


def _swapped_channels(monkeypatch):
    script = forms.script
    monkeypatch.setattr(forms, "script", lambda network, size: script(_Swapped(network), size))


def _another_mean(monkeypatch):
    script = forms.script
    monkeypatch.setattr(forms, "script", lambda network, size: script(network, replace(size, mean=(0.5, 0.5, 0.5))))


def _another_mean_in_openvino(monkeypatch):
    add = openvino_file.add_preprocessing
    monkeypatch.setattr(
        openvino_file, "add_preprocessing", lambda core, size: add(core, replace(size, mean=(0.5, 0.5, 0.5)))
    )


def _another_resize(monkeypatch):
    script = forms.script
    monkeypatch.setattr(forms, "script", lambda network, size: script(network, replace(size, resize="letterbox")))


FAULTS = {
    _train_mode: ("pt", "TorchScript in fp32: a probability differs by"),
    _lost_branch: ("pt", "folded in fp32: a probability differs by"),
    _lost_branch_in_float64: ("pt", "folded in fp32: in float64, outputs differ by .* of the largest"),
    _permuted_classes: ("pt", "TorchScript in fp32: its class names, or their order, differ from the checkpoint's"),
    _swapped_channels: ("pt", "TorchScript in fp32: a probability differs by"),
    _another_mean: ("pt", "TorchScript in fp32: a probability differs by"),
    _another_resize: ("pt", "whole frames, resized inside in fp32: a probability differs by"),
}


@pytest.mark.parametrize("plant", FAULTS, ids=lambda plant: plant.__name__.strip("_"))
def test_a_planted_fault_is_caught(tmp_path, monkeypatch, plant):
    name, complaint = FAULTS[plant]
    draw_frame(0, 0, (160, 90)).save(tmp_path / "frame.jpg")
    frames = replace(drawn_frames(1), paths=(str(tmp_path / "frame.jpg"),))
    plant(monkeypatch)
    with pytest.raises(InputError, match=f"{complaint}.*no file was written for a step that failed"):
        convert(checkpoint(), tmp_path / "out", frames, formats=[name])
    assert listing(tmp_path / "out") == ["conversion.json"]
    values = json.loads((tmp_path / "out" / "conversion.json").read_text())
    assert values["files"] == []
    assert values["complaint"]


def test_a_refused_conversion_leaves_the_earlier_file(tmp_path, monkeypatch):
    before = converted(tmp_path).read_bytes()
    _swapped_channels(monkeypatch)
    with pytest.raises(InputError, match="TorchScript in fp32"):
        converted(tmp_path)
    assert (tmp_path / "repvgg_tiny_cpp_deploy.pt").read_bytes() == before


def test_other_formats_than_one_that_misses_are_written(tmp_path, monkeypatch):
    """And a planted fault of OpenVINO's file alone is caught."""
    _another_mean_in_openvino(monkeypatch)
    complaint = "OpenVINO in fp32: a probability differs by"
    with pytest.raises(InputError, match=f"^{complaint}.*no file was written for a step that failed"):
        convert(checkpoint(), tmp_path, drawn_frames(), formats=["openvino", "pt"])
    assert listing(tmp_path) == ["conversion.json", "repvgg_tiny_cpp_deploy.pt"]
    values = json.loads((tmp_path / "conversion.json").read_text())
    assert values["files"] == ["repvgg_tiny_cpp_deploy.pt"]
    assert values["complaint"].startswith(complaint)
    assert [row["step"] for row in values["rows"] if row["complaint"]] == ["OpenVINO"]


@pytest.mark.slow
def test_each_way_to_int8_is_tried(tmp_path, trained):
    known = load_checkpoint(trained.best)
    frames = gate_frames(TASK, read_file_list(trained.dataset / "val.txt", 3), 256, known.preprocessing, 2)
    never = GateConfig.model_construct(int8_agreement=float("nan"))
    match = r"OpenVINO, accurate bias correction in .* no file was written for a step that failed"
    with pytest.raises(InputError, match=match):
        convert(known, tmp_path, frames, formats=["int8", "pt"], calibration=frames.frames, limits=never)
    assert listing(tmp_path) == ["conversion.json", "repvgg_tiny_cpp_deploy.pt"]
    rows = json.loads((tmp_path / "conversion.json").read_text())["rows"]
    ways = ["equalized and rounded", "accurate bias correction"]
    assert [row["step"] for row in rows if row["complaint"]] == [f"OpenVINO, {way}" for way in ways]
    assert all(
        "of the frames, less than gate.int8_agreement nan" in row["complaint"] for row in rows if row["complaint"]
    )


def test_without_nncf_int8_is_refused_and_not_among_the_installed(tmp_path, monkeypatch):
    frames = drawn_frames()
    monkeypatch.setattr(quantize, "is_available", lambda: False)
    with pytest.raises(InputError, match=r"NNCF is not installed; pip install -e '.\[int8\]'"):
        convert(checkpoint(), tmp_path, frames, formats=["int8"], calibration=frames.frames)
    assert forms.installed_formats() == ["pt", "bf16", "onnx", "openvino"]


def test_a_trained_network_below_its_recorded_score_is_refused(tmp_path, trained):
    known = load_checkpoint(trained.best)
    frames = gate_frames(TASK, read_file_list(trained.dataset / "val.txt", 3), 256, known.preprocessing, 2)
    convert(known, tmp_path / "right", frames, recorded=known.metrics["top1"])
    assert known.metrics["top1"] > 0.8
    shifted = replace(frames, targets=(frames.targets + 1) % 3)  # as with another class order
    match = r"trained in fp32: top-1 on 12 frames is .*, but its checkpoint records "
    with pytest.raises(InputError, match=match):
        convert(known, tmp_path / "wrong", shifted, recorded=known.metrics["top1"])
    assert listing(tmp_path / "wrong") == ["conversion.json"]


def test_weights_that_are_not_finite_are_refused(tmp_path):
    spoilt = checkpoint()
    spoilt.state_dict["head.fc.bias"][0] = float("nan")
    with pytest.raises(InputError, match="no file was written for a step that failed"):
        convert(spoilt, tmp_path, drawn_frames())
    assert listing(tmp_path) == ["conversion.json"]


def test_golden_vectors(tmp_path):
    draw_frame(0, 0, (160, 90)).save(tmp_path / "frame.jpg")
    classifier = load_runner(converted(tmp_path / "out"), "cpu")
    write_golden(tmp_path / "golden", classifier, TASK.comparison, [str(tmp_path / "frame.jpg")])
    values = json.loads((tmp_path / "golden" / "golden.json").read_text(encoding="utf-8"))
    header, pixels = (tmp_path / "golden" / "0.ppm").read_bytes().split(b"255\n", 1)
    assert header == b"P6\n160 90\n"
    frame = np.frombuffer(pixels, np.uint8).reshape(1, 90, 160, 3)
    np.testing.assert_allclose(values["frames"][0]["probabilities"], classifier(frame.copy())[0], atol=1e-7)
    assert (values["class_names"], values["model_sha256"]) == (list(NAMES), classifier.sha256())


def test_a_checkpoint_runs_in_bf16_on_request(trained):
    frames = drawn_frames(6, side=32).frames
    exact, rounded = load_runner(trained.best, "cpu"), load_runner(trained.best, "cpu", "bf16")
    assert (exact.precision, rounded.precision) == ("fp32", "bf16")
    difference = abs(exact(frames) - rounded(frames)).max()
    assert 0 < difference < 0.1


def test_files_that_are_none_of_ours_are_refused(tmp_path, everything):
    def refused(path: Path, match: str, **options) -> None:
        with pytest.raises(InputError, match=match):
            load_runner(path, **options)

    refused(tmp_path / "none.pt", "no such file")
    refused(tmp_path / "model.tflite", r"give a checkpoint \(.pth\) or a deployed file \(.pt, .onnx, .xml, .pt2\)")
    (tmp_path / "text.pt").write_text("hello")
    refused(tmp_path / "text.pt", r"text.pt: not a TorchScript file")
    linear = torch.jit.script(torch.nn.Linear(2, 2))
    torch.jit.save(linear, str(tmp_path / "plain.pt"))
    refused(tmp_path / "plain.pt", "has no metadata of this project")
    for text, match in (
        ('{"format": "game_classifier.deploy", "format_version": 9}', r"deploy format game_classifier\.deploy 9"),
        ('{"format": "game_classifier.deploy", "format_version": 2}', "its metadata is damaged"),
        ("[1, ", "its metadata is damaged"),
    ):
        torch.jit.save(linear, str(tmp_path / "new.pt"), _extra_files={"meta.json": text})
        refused(tmp_path / "new.pt", match)
    copied = Path(shutil.copytree(everything.files[0].parent, tmp_path / "out"))
    deploy, onnx, openvino = (copied / everything.files[number].name for number in (0, 2, 3))
    for file, name in ((deploy, "TorchScript"), (onnx, "ONNX")):
        half = tmp_path / f"half{file.suffix}"
        half.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
        refused(half, f"{half.name}: not an? {name} file, or a damaged one")
    refused(deploy, "holds a network in fp32; leave --precision out", precision="bf16")
    refused(onnx, "holds a network in fp32; leave --precision out", precision="bf16")
    refused(onnx, "ONNX Runtime runs on the CPU here; leave --device out", device_name="cuda")
    weights = openvino.with_suffix(".bin")
    spoilt = bytearray(weights.read_bytes())
    spoilt[1000] ^= 1
    weights.write_bytes(spoilt)
    refused(openvino, r"openvino.bin: not the weights that repvgg_tiny_openvino.xml was written with")
    weights.unlink()
    refused(openvino, "openvino.bin: no such file; repvgg_tiny_openvino.xml needs its weights beside it")
    weights.write_bytes(spoilt)
    openvino.write_text("<net>")
    refused(openvino, "openvino.xml: not an OpenVINO file, or a damaged one")

"""Detectors in every deployed format: the same boxes and scores, in pixels of the frame handed in."""

import json
import re
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import openvino as ov
import pytest
import torch
from box_frames import COLOURS, NETWORK, drawn_frames, make_box_dataset, untrained
from conftest import run_script
from test_detector_training import recipe, train

from game_classifier.config import GateConfig
from game_classifier.deploy import export, forms
from game_classifier.deploy.export import convert
from game_classifier.deploy.frame_sets import gate_frames
from game_classifier.deploy.gate import GateFrames
from game_classifier.errors import InputError
from game_classifier.frames.decode import Preprocessing, resize_frame
from game_classifier.lists.box_list import without_boxes
from game_classifier.models import frame_network as frame_network_module
from game_classifier.models.checkpoint import Checkpoint, load_checkpoint
from game_classifier.models.fold import fold
from game_classifier.models.frame_network import answering, frame_network
from game_classifier.runtime.runner import Runner, load_runner
from game_classifier.tasks.choose import task_of
from game_classifier.tasks.detection.comparison import BoxAnswers, BoxComparison
from game_classifier.tasks.detection.geometry import pictures

TASK = task_of(NETWORK)
SLOW = pytest.mark.slow
NAMES = tuple(COLOURS)
SIZES = ((128, 96), (97, 333), (64, 64), (31, 40))  # width and height of whole frames; the third is the network's


def unlabelled(count: int = 3) -> GateFrames:
    return GateFrames(drawn_frames(count), without_boxes(count))


def on_frames(answers: tuple[np.ndarray, np.ndarray], size: tuple[int, int], known: Checkpoint) -> np.ndarray:
    """Boxes on the network's frames, moved to frames of `size` (width, height) by other code than the files'."""
    left, top, width, height = pictures(np.array([size[::-1]]), known.preprocessing)[0].tolist()
    scale = np.array([size[0] / width, size[1] / height] * 2)
    return (answers[0] - np.array([left, top] * 2)) * scale


@pytest.mark.parametrize("resize", ["letterbox", *(pytest.param(r, marks=SLOW) for r in ("squash", "center_crop"))])
def test_boxes_are_in_pixels_of_the_frame_handed_in(tmp_path, resize):
    known = untrained(resize)
    conversion = convert(known, tmp_path, unlabelled(), formats=["pt", "onnx"] if resize != "center_crop" else ["pt"])
    python = frame_network(answering(fold(known.build())), known.preprocessing).eval().infer
    runners = {".pth": python} | {path.suffix: load_runner(path, "cpu").infer for path in conversion.files}
    for size in SIZES:
        whole = drawn_frames(2, size)
        resized = np.stack([resize_frame(frame, known.preprocessing) for frame in whole])
        for kind, infer in runners.items():
            if kind == ".onnx":  # its antialiasing differs from torch's by some levels at edges: frames without any
                whole[:] = whole[:, :1, :1]
                resized = np.stack([resize_frame(frame, known.preprocessing) for frame in whole])
            expected = infer(resized)
            boxes, scores = infer(whole)
            assert (boxes.dtype, boxes.shape, scores.dtype, scores.shape) == ("f4", (2, 252, 4), "f4", (2, 252, 3))
            moved = on_frames(expected, size, known)
            np.testing.assert_allclose(boxes, moved, rtol=1e-4, atol=1e-2, err_msg=f"{kind} {size}")
            np.testing.assert_allclose(scores, expected[1], rtol=0, atol=1e-5)
            if size == (64, 64):
                assert np.array_equal(boxes, expected[0])


@dataclass(frozen=True)
class Converted:
    """A trained detector with its data and its files."""

    data: Path
    best: Path
    folder: Path
    out: str

    def runner(self, ending: str, precision: str = "auto") -> Runner:
        return load_runner(self.folder / f"{NETWORK}{ending}", "cpu", precision)

    def row(self, step: str, precision: str) -> dict:
        rows = json.loads((self.folder / "conversion.json").read_text())["rows"]
        return next(row for row in rows if (row["step"], row["precision"]) == (step, precision))


@pytest.fixture(scope="module")
def best(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("trained")
    data = make_box_dataset(folder / "data", train=32, val=16)
    changes = ["detection.mosaic=0", "augment.zoom=0.1", "min_steps=150", "batch_size=8", "lr=0.005", "ema_decay=0.95"]
    return train(recipe(*changes), data, folder / "out")


@pytest.fixture(scope="module")
def converted(best: Path, tmp_path_factory: pytest.TempPathFactory) -> Converted:
    folder = tmp_path_factory.mktemp("converted")
    # Learnt in seconds, some of its scores lie close together.
    loose = [part for key in ("bf16_ap_drop", "int8_ap_drop") for part in ("--set", f"gate.{key}=0.1")]
    done = run_script("src/main_convert.py", "-w", best, "-o", folder, "--golden", 2, "--draw", *loose)
    assert done.status == 0, done.err
    return Converted(best.parents[2] / "data", best, folder, done.out)


@pytest.mark.slow
def test_every_format_answers_as_the_trained_network_does(converted):
    frames = drawn_frames(5, (64, 64), first=500)
    trained = load_runner(converted.best, "cpu")
    expected = trained.infer(frames)
    seen = expected[1].max(axis=2) >= 0.01
    assert seen.sum() > 20
    kinds = {
        ("_cpp_deploy.pt", "auto"): ("fp32", 1e-5, 1e-4),
        (".onnx", "auto"): ("fp32", 1e-5, 1e-4),
        ("_openvino.xml", "fp32"): ("fp32", 1e-5, 1e-4),
        ("_cpp_deploy_bf16.pt", "auto"): ("bf16", 0.05, 0.2),
        ("_openvino_int8.xml", "auto"): ("int8", 0.2, 1),
    }
    for (ending, asked), (precision, of_scores, of_boxes) in kinds.items():
        runner = converted.runner(ending, asked)
        assert (runner.precision, runner.class_names) == (precision, trained.class_names)
        for infer in (runner.infer, *runner.workers(2, 5)):
            boxes, scores = infer(frames)
            assert (boxes.dtype, scores.dtype) == (np.float32, np.float32)
            np.testing.assert_allclose(scores, expected[1], atol=of_scores, rtol=0, err_msg=ending)
            assert np.abs(boxes[seen] - expected[0][seen]).mean() < of_boxes, ending


@pytest.mark.slow
@pytest.mark.parametrize("ending", ["_cpp_deploy.pt", ".onnx", "_openvino.xml"])
def test_an_answer_stays_as_it_is_when_the_next_frames_are_answered(converted, ending):
    runner = converted.runner(ending, "auto")
    boxes, scores = runner(drawn_frames(2, (64, 64), first=500))
    before = boxes.copy(), scores.copy()
    assert not np.array_equal(runner(drawn_frames(2, (64, 64), first=600))[1], before[1])
    assert np.array_equal(boxes, before[0])
    assert np.array_equal(scores, before[1])


@pytest.mark.slow
def test_the_table_has_the_ap_that_the_command_finds(converted):
    for ending, step, precision in (
        ("_cpp_deploy.pt", "TorchScript", "fp32"),
        ("_openvino_int8.xml", "OpenVINO, rounded", "int8"),
    ):
        row = converted.row(step, precision)
        assert row["ap"] > 0.05
        scored = run_script(
            "src/main_predict.py", "-w", converted.folder / f"{NETWORK}{ending}", "-i", converted.data / "val.txt"
        )
        assert f"{100 * row['ap']:.2f}" in scored.out, ending
    assert converted.row("trained", "fp32")["ap"] == pytest.approx(load_checkpoint(converted.best).metrics["ap"])
    whole = converted.row("whole frames, resized inside", "fp32")
    assert (whole["score_difference"], whole["ap"]) == (0, converted.row("TorchScript", "fp32")["ap"])
    assert whole["box_difference"] < 1e-3


@pytest.mark.slow
def test_int8_leaves_the_box_arithmetic_and_the_pixels_in_floating_point(converted):
    model = ov.Core().read_model(converted.folder / f"{NETWORK}_openvino_int8.xml")
    convolutions = [op for op in model.get_ordered_ops() if op.get_type_name() == "Convolution"]
    first, *others = (op.input_value(0).get_node() for op in convolutions)

    def quantized(node: ov.Node) -> bool:
        if node.get_type_name() in ("Concat", "MaxPool"):
            return all(quantized(value.get_node()) for value in node.input_values())
        return node.get_type_name() == "FakeQuantize"

    assert not quantized(first)
    assert all(map(quantized, others))
    # SiLU gives at least -0.28: most scales of its values begin there, and not as far below 0 as they end above. A sum
    # shares its scale with its parts.
    behind = [op for op in model.get_ordered_ops() if op.get_type_name() == "FakeQuantize"]
    behind = [op for op in behind if op.input_value(0).get_node().get_type_name() == "Swish"]
    scales = [[node.input_value(port).get_node().get_data().min() for port in (1, 2)] for node in behind]
    assert len(scales) > 20
    assert np.mean([-0.3 < low < 0 for low, _ in scales]) > 0.5
    assert max(high for _, high in scales) > 2
    decoder = [op for op in model.get_ordered_ops() if op.get_friendly_name().startswith("__module.1/")]
    assert len(decoder) > 20
    for op in decoder:
        for port in op.inputs():
            assert port.get_source_output().get_node().get_type_name() != "FakeQuantize", op


@pytest.mark.slow
def test_metadata_golden_and_drawings_are_as_a_classifiers(converted):
    extra = {"meta.json": ""}
    torch.jit.load(str(converted.folder / f"{NETWORK}_cpp_deploy.pt"), _extra_files=extra)
    metadata = json.loads(extra["meta.json"])
    assert metadata["output"].startswith("boxes float32 [N, M, 4], x1 y1 x2 y2 in pixels")
    assert metadata["input"] == "uint8 RGB [N, H, W, 3], any H and W"
    assert "known" not in metadata["output"]
    model = ov.Core().read_model(converted.folder / f"{NETWORK}_openvino.xml")
    assert [output.get_any_name() for output in model.outputs] == ["boxes", "scores"]
    said = model.get_rt_info(["game_classifier", "meta.json"]).astype(str)
    assert json.loads(said)["input"].startswith("uint8 RGB [N, 64, 64, 3]: scaled to fit 64x64 in their own shape")
    golden = json.loads((converted.folder / f"{NETWORK}_golden" / "golden.json").read_text())
    assert [frame["file"] for frame in golden["frames"]] == ["0.ppm", "1.ppm"]
    first = golden["frames"][0]["boxes"][0]
    assert first["class"] in NAMES
    assert 0 <= first["box"][0] < first["box"][2] <= 140  # pixels of the whole frame, 128 wide
    assert re.search(r"\| conv2d +\| +60 \| +60 \|", converted.out)
    assert re.search(r"\| batch_norm +\| +57 \| +0 \|", converted.out)
    assert (converted.folder / f"{NETWORK}_deploy_form.onnx").is_file()
    assert "`known`" not in converted.out


def test_unlabelled_frames_suffice_for_fp32_and_bf16_is_refused_with_the_remedy(tmp_path):
    with pytest.raises(InputError, match="TorchScript in bf16: it is judged by AP, but no frame has a box; give"):
        convert(untrained(), tmp_path, unlabelled(), formats=["pt", "bf16"])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["conversion.json", f"{NETWORK}_cpp_deploy.pt"]
    assert json.loads((tmp_path / "conversion.json").read_text())["labelled"] == 0


def test_boxes_that_are_not_moved_back_are_caught(tmp_path, best, monkeypatch):
    """The file's own arithmetic is planted with a fault: a pixel too far."""
    known = load_checkpoint(best)
    frames = gate_frames(TASK, TASK.read_list(best.parents[2] / "data" / "val.txt", 3, None), 4, known.preprocessing, 1)

    def undo_resize(
        boxes: torch.Tensor, height: int, width: int, to_height: int, to_width: int, resize: str
    ) -> torch.Tensor:
        return boxes * (width / to_width) + float(width != to_width)

    monkeypatch.setattr(frame_network_module, "undo_resize", undo_resize)
    with pytest.raises(InputError, match=r"whole frames, resized inside in fp32: a box differs by .* pixels"):
        convert(known, tmp_path, frames)


def test_another_preprocessing_is_caught(tmp_path, monkeypatch):
    script = forms.script
    monkeypatch.setattr(forms, "script", lambda network, size: script(network, replace(size, mean=(0.1, 0.1, 0.1))))
    with pytest.raises(InputError, match=r"TorchScript in fp32: a score differs by .* more than gate.fp32_difference"):
        convert(untrained(), tmp_path, unlabelled())


def test_a_branch_folded_wrongly_is_caught_in_float64(tmp_path, monkeypatch):
    def spoil(network):
        network.head.outputs[2].weight.data *= 1 + 1e-6
        return fold_float64(network)

    fold_float64 = export.fold_float64
    monkeypatch.setattr(export, "fold_float64", spoil)
    with pytest.raises(InputError, match=r"folded in fp32: in float64, outputs differ by .* of the largest"):
        convert(untrained(), tmp_path, unlabelled())


# The comparison itself.


def answers(ap: float | None = 0.5) -> BoxAnswers:
    boxes = np.tile(np.array([1, 2, 30, 40], np.float32), (2, 5, 1))
    return BoxAnswers(boxes, np.full((2, 5, 3), 0.2, np.float32), ap)


def complaint(changed: BoxAnswers, precision: str, boxes: int = 1000) -> str:
    comparison = BoxComparison()
    targets = replace(without_boxes(2), boxes=np.zeros(boxes))
    trained = comparison.figures(answers(), answers(), targets)
    return comparison.complaint(
        comparison.figures(changed, answers(), targets), trained, precision, GateConfig(), targets
    )


def test_fp32_is_held_to_its_scores_and_boxes():
    assert complaint(answers(), "fp32") == ""
    other = answers()
    other.scores[1, 2, 0] += 2e-4
    assert complaint(other, "fp32").startswith("a score differs by 2.0e-04, more than gate.fp32_difference 1e-04")
    other = answers()
    other.boxes[1, 2, 3] += 0.06
    assert complaint(other, "fp32") == "a box differs by 0.06 pixels, more than gate.fp32_box_difference 0.05"
    other.scores[1, 2] = 0.005  # nobody sees it, but then the scores differ
    assert "a score differs" in complaint(other, "fp32")


def test_a_box_that_nobody_sees_may_lie_elsewhere():
    comparison, one, other = BoxComparison(), answers(), answers()
    for each in (one, other):
        each.scores[0, 0] = 0.009
    other.boxes[0, 0] += 100
    assert comparison.figures(other, one, without_boxes(2))["box_difference"] == 0
    other.scores[0, 0, 1] = 0.01
    assert comparison.figures(other, one, without_boxes(2))["box_difference"] == 100


@pytest.mark.parametrize(("precision", "most"), [("bf16", 0.005), ("int8", 0.01)])
def test_ap_may_fall_a_little_in_bf16_and_int8(precision, most):
    assert complaint(answers(0.5 - most + 1e-4), precision) == ""
    said = complaint(answers(0.5 - most - 1e-4), precision)
    assert said.startswith("AP falls from 50.00% to")
    assert said.endswith(f"by more than gate.{precision}_ap_drop {most}")
    assert complaint(answers(0.5 - 0.09), precision, boxes=10) == ""  # one box of ten
    assert complaint(answers(float("nan")), precision)


@pytest.mark.parametrize("precision", ["fp32", "bf16", "int8"])
@pytest.mark.parametrize("field", ["boxes", "scores"])
def test_answers_that_are_not_finite_miss(precision, field):
    other = answers()
    getattr(other, field)[0, 0, 0] = np.nan
    assert complaint(other, precision)


def test_a_network_below_its_record_is_told_from_chance():
    comparison, targets = BoxComparison(), without_boxes(100)
    assert comparison.complaint_beside_record({"ap": 0.31}, 0.5, targets) == ""
    assert "AP on 100 frames is 29.00%, but its checkpoint records 50.00%" in comparison.complaint_beside_record(
        {"ap": 0.29}, 0.5, targets
    )
    assert comparison.complaint_beside_record({"ap": None}, 0.5, targets) == ""


def test_of_many_large_answers_some_frames_are_kept_and_all_are_scored(monkeypatch):
    monkeypatch.setattr("game_classifier.tasks.detection.comparison.MOST_VALUES", 4 * 5 * (4 + 3))
    comparison = BoxComparison(Preprocessing(64, 64), NAMES)
    numbered = np.arange(12, dtype=np.float32)[:, None, None]
    batches = [(np.tile(part, (1, 5, 4)), np.tile(part, (1, 5, 3))) for part in (numbered[:7], numbered[7:])]
    kept = comparison.collect(batches, without_boxes(12))
    assert kept.boxes[:, 0, 0].tolist() == kept.scores[:, 0, 0].tolist() == [0, 3, 6, 9]
    assert kept.ap is None

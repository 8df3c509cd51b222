"""The study of a network's forms: what each form is, what its figures mean, and the pictures."""

import copy
import csv
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from timm.models.byobnet import RepVggBlock
from torch import nn

from game_classifier.compare.forms import (
    Difference,
    Form,
    Timing,
    difference,
    fold_norms,
    forms_of,
    settle,
    with_leaky_relu,
    without_branches,
)
from game_classifier.compare.forms_table import forms_figures, forms_table
from game_classifier.compare.turns import Times
from game_classifier.compare.yolov5_changes import changes_of_v6
from game_classifier.deploy.drawing import draw_block
from game_classifier.errors import InputError
from game_classifier.models.conv_norm import ConvNormAct
from game_classifier.models.cost import Cost, cost
from game_classifier.models.fold import fold
from game_classifier.models.graph import Node, folded_block, graph_of
from game_classifier.models.repyolo import rep_block
from game_classifier.models.rewrites import SPP, Focus
from game_classifier.models.zoo import build_model, parameter_count

FORMS = ["training form", "deployed"]
LEAKY = [f"LeakyReLU, {form}" for form in FORMS]
PLAIN_YOLO = ["plain, training form", "plain, only BatchNorm folded", "plain, deployed"]
STUDY = "scripts/compare_forms.py"


@pytest.fixture(scope="module")
def detector_forms() -> dict[str, Form]:
    return {form.form: form for form in forms_of("repyolov5s_detector", 80, 32)}


@pytest.mark.parametrize("name", ["repyolov5s", "repyolov5s_detector", "v5lite_g_detector", "repvgg_a0", "repvgg_b1g4"])
def test_the_plain_network_costs_what_the_deployed_one_does(name):
    with torch.device("meta"):
        network = build_model(name, 10)
        plain = without_branches(network)
        assert any(isinstance(module, RepVggBlock) for module in network.modules())
        assert not any(isinstance(module, RepVggBlock) for module in plain.modules())
        assert cost(fold(plain), 64) == cost(fold(network), 64)


def test_without_its_branches_a_block_is_its_wide_convolution():
    torch.manual_seed(0)
    network = build_model("repvgg_tiny", 5).eval()
    plain = without_branches(network).eval()
    for name, block in network.named_modules():
        if isinstance(block, RepVggBlock):
            for branch in (block.conv_1x1.bn, block.identity):
                if branch is not None:
                    nn.init.zeros_(branch.weight)
            plain.get_submodule(name)[0].conv.weight.data = block.conv_kxk.conv.weight.data
    plain.head.load_state_dict(network.head.state_dict())
    pixels = torch.randn(2, 3, 64, 64)
    with torch.inference_mode():
        torch.testing.assert_close(plain(pixels), network(pixels))


def test_repyolov5s_detector_without_branches_is_yolov5s_of_v5_0():
    """The published network has 7,276,605 parameters with 80 classes; folded, 7,266,973."""
    with torch.device("meta"):
        plain = without_branches(build_model("repyolov5s_detector", 80))
        assert parameter_count(plain) == 7_276_605
        assert parameter_count(fold(plain)) == 7_266_973
    assert {module.eps for module in plain.modules() if isinstance(module, nn.BatchNorm2d)} == {1e-3}


def test_leaky_relu_takes_the_place_of_each_silu_and_of_nothing_else():
    network = nn.Sequential(nn.Conv2d(3, 3, 1), nn.SiLU(), nn.Sequential(nn.SiLU(inplace=True), nn.ReLU()))
    leaky = with_leaky_relu(network)
    assert [(each.negative_slope, each.inplace) for each in (leaky[1], leaky[2][0])] == [(0.1, False), (0.1, True)]
    assert isinstance(leaky[2][1], nn.ReLU)
    assert torch.equal(leaky[0].weight, network[0].weight)
    assert isinstance(network[1], nn.SiLU)  # a copy
    assert torch.equal(leaky[1](torch.tensor([-2.0, 3.0])), torch.tensor([-0.2, 3.0]))


def test_folding_norms_keeps_focus_spp_and_the_outputs():
    torch.manual_seed(0)
    layers = nn.Sequential(Focus(3, 8), SPP(8, 8), ConvNormAct(8, 4, activation=nn.SiLU))
    pixels = torch.randn(2, 3, 16, 16)
    settle(layers, pixels)
    folded = fold_norms(layers)
    assert not any(isinstance(each, nn.BatchNorm2d) for each in folded.modules())
    assert [type(each) for each in folded] == [Focus, SPP, ConvNormAct]
    assert any(isinstance(each, nn.BatchNorm2d) for each in layers.modules())  # a copy
    with torch.inference_mode():
        torch.testing.assert_close(folded(pixels), layers(pixels))


def test_a_difference_is_a_share_of_the_largest_output_and_pixels_of_boxes():
    logits, other = torch.tensor([[1.0, -4.0]]), torch.tensor([[1.5, -4.0]])
    assert difference((other,), (logits,)) == Difference(0.125)
    assert difference((other * 3, other), (logits, logits)) == Difference(0.125, 8.0)


def test_forms_of_a_detector(detector_forms):
    assert list(detector_forms) == [*FORMS, *LEAKY, *PLAIN_YOLO]
    count = {name: form.operators for name, form in detector_forms.items()}
    assert count["deployed"] == count["plain, deployed"] == count["LeakyReLU, deployed"]
    assert count["deployed"] < count["plain, only BatchNorm folded"] < count["plain, training form"]
    assert count["plain, training form"] < count["training form"]
    assert {name: form.parameters for name, form in detector_forms.items() if name in [*FORMS, PLAIN_YOLO[0]]} == {
        "training form": 7_535_293,
        "deployed": 7_266_973,
        "plain, training form": 7_276_605,
    }
    for name, form in detector_forms.items():
        if name.endswith("training form"):
            assert form.difference is None
        else:
            assert 0 < form.difference.share < 1e-3, name
            assert form.difference.pixels < 0.05, name
    with torch.inference_mode():
        boxes, scores = detector_forms["LeakyReLU, deployed"].module(torch.randn(1, 3, 32, 32))
    assert (boxes.shape, scores.shape) == ((1, 63, 4), (1, 63, 80))  # 3 anchors at 16 + 4 + 1 places, before NMS


def test_forms_of_classifiers():
    assert [form.form for form in forms_of("repyolov5s", 10, 32)] == [*FORMS, *LEAKY, *PLAIN_YOLO]
    forms = forms_of("repvgg_tiny", 10, 32)
    assert [form.form for form in forms] == [*FORMS, *(f"plain, {form}" for form in FORMS)]  # it has no SiLU, no Focus
    for form in forms:
        assert form.difference is None or (0 < form.difference.share < 1e-4 and form.difference.pixels is None)


def test_what_has_no_forms_to_compare():
    with pytest.raises(InputError, match=r"^squeezenet1_1: has no RepVGG blocks to fold; give repyolov5s, "):
        forms_of("squeezenet1_1", 10, 64)
    with pytest.raises(InputError, match=r"^yolov5n_detector: has no RepVGG blocks"):
        forms_of("yolov5n_detector", 10, 64)
    expected = "--size 100: repyolov5s_detector takes multiples of 32, such as 128"
    with pytest.raises(InputError, match=f"^{expected}$"):
        forms_of("repyolov5s_detector", 10, 100)
    with pytest.raises(InputError, match=r"^--size 33: YOLOv5s takes multiples of 32, such as 64$"):
        changes_of_v6(10, 33)


def test_the_changes_of_yolov5_v6():
    stem, pooling, c3, whole = changes_of_v6(80, 64)
    assert [[form.form for form in pair] for pair in (stem, pooling, c3, whole)] == [
        ["Focus", "6x6 convolution"],
        ["SPP", "SPPF"],
        ["9", "6"],
        ["v5.0", "v6.0"],
    ]
    assert 0 < stem[1].difference.share < 1e-5
    assert pooling[1].difference == Difference(0.0)  # to the bit
    assert c3[1].difference is whole[1].difference is None  # other networks
    for pair in (stem, pooling):
        assert (pair[0].parameters, pair[0].macs) == (pair[1].parameters, pair[1].macs)
    assert [form.parameters for form in whole] == [7_266_973, 7_225_885]
    # A C3 of 9 has three bottlenecks at YOLOv5s's depth, one of 6 two: 1x1 and 3x3, 64 channels, with biases.
    assert c3[0].parameters - c3[1].parameters == 64 * 64 * (1 + 9) + 2 * 64
    assert (stem[0].shape, pooling[0].shape, c3[0].shape) == ((3, 64, 64), (512, 2, 2), (128, 8, 8))


def timing(form: str, change: Difference | None, *rounds: list[float]) -> Timing:
    arrays = tuple(np.array(each) for each in rounds)
    made = Form("net", form, nn.Identity(), (3, 32, 32), 7, 250_000, 2_000_000, change)
    return Timing(made, len(rounds[0]), Times(arrays, sum(map(len, arrays))))


def test_figures_and_table_of_timings():
    timings = [
        timing("deployed", Difference(2e-7, 3e-5), [1.0, 2.0], [3.0, 6.0]),
        timing("plain, deployed", Difference(0.0), [1.0, 1.0], [2.0, 2.0]),
    ]
    first, last = forms_figures(timings, [120])
    assert (first["total_s"], first["total_s_min"], first["total_s_max"], first["ms"]) == (6, 3, 9, 3000)
    assert (first["relative"], first["relative_min"], first["relative_max"]) == (2, 1.5, 2.25)
    assert (last["relative"], first["reckoned_120_s"], first["megabytes"]) == (1, 360, 1)
    assert (first["difference"], first["box_difference"], last["box_difference"]) == (2e-7, 3e-5, None)
    table = forms_table([first, last], "Title", [120])
    assert table.header[-1] == "120 frames, reckoned"
    shown = dict(zip(table.header, table.rows[0], strict=True))
    assert shown["Difference"] == "2e-07, boxes 3e-05 px"
    assert shown["Times the last form"] == "2.00 (1.50 to 2.25)"
    assert shown["120 frames, reckoned"] == "6.0 min"
    assert dict(zip(table.header, table.rows[1], strict=True))["Difference"] == "0"


def test_a_block_as_a_graph():
    torch.manual_seed(0)
    block = rep_block(8, 8, stride=1).eval()
    words = [node.words for node in graph_of(block, torch.zeros(1, 8, 4, 4))]
    assert Counter(words) == Counter(
        {"input": 1, "BatchNorm": 3, "1×1 conv 8→8": 1, "3×3 conv 8→8": 1, "+": 2, "SiLU": 1}
    )
    graph = graph_of(block, torch.zeros(1, 8, 4, 4))
    assert graph[-1] == Node("SiLU", (len(graph) - 2,))
    assert sum(node.sources == (0,) for node in graph) == 3  # three branches
    assert len(graph[-2].sources) == 2
    folded = fold(nn.Sequential(copy.deepcopy(block)))
    assert graph_of(folded[0], torch.zeros(1, 8, 4, 4)) == [
        Node("input", ()),
        Node("3×3 conv 8→8 + bias", (0,)),
        Node("SiLU", (1,)),
    ]


def test_the_block_that_is_drawn_has_the_most_branches(tmp_path):
    network = build_model("repvgg_tiny", 3).eval()
    name, before, after = folded_block(network, fold(network), torch.zeros(1, 3, 32, 32))
    assert network.get_submodule(name).identity is not None
    assert len(before) > len(after)
    drawn, (trained, folded) = draw_block(tmp_path / "a.png", "title", network, fold(network), 32, 32)
    assert drawn
    assert (trained["conv2d"], folded["conv2d"], folded["batch_norm"]) == (14, 7, 0)
    with Image.open(tmp_path / "a.png") as picture:
        assert picture.width > 800
    plain = nn.Sequential(nn.Conv2d(3, 3, 1)).eval()
    assert draw_block(tmp_path / "b.png", "title", plain, fold(plain), 32, 32)[0] is False
    assert not (tmp_path / "b.png").exists()


def test_cost_of_a_layer_with_other_channels():
    assert cost(nn.Conv2d(8, 4, 1, bias=False), 2, channels=8) == Cost(32, 128)


def test_the_study_writes_a_table_a_csv_and_pictures(tmp_path, run):
    options = ("--frames", 2, 5, "--rounds", 3, "--size", 32, "--reckon", 5, 1000, "-o", tmp_path)
    done = run(STUDY, "repvgg_tiny", "--yolov5-changes", *options)
    assert done.status == 0, done.err
    assert "32x32, one frame at a time, PyTorch fp32" in done.out
    rows = list(csv.DictReader((tmp_path / "forms.csv").read_text(encoding="utf-8").splitlines()))
    own = [row for row in rows if row["network"] == "repvgg_tiny"]
    assert [(row["form"], row["frames"]) for row in own] == [
        (form, frames) for frames in ("2", "5") for form in (*FORMS, *(f"plain, {form}" for form in FORMS))
    ]
    assert {row["network"] for row in rows} - {"repvgg_tiny"} == {
        "YOLOv5s",
        "YOLOv5s, stem",
        "YOLOv5s, pooling",
        "YOLOv5s, C3 at stride 8",
    }
    for row in rows:
        assert float(row["ms"]) == pytest.approx(1000 * float(row["total_s"]) / int(row["frames"]))
        assert float(row["total_s_min"]) <= float(row["total_s"]) <= float(row["total_s_max"])
        assert float(row["relative_min"]) <= float(row["relative_max"])
        assert float(row["reckoned_1000_s"]) == pytest.approx(float(row["ms"]))
        assert "reckoned_5_s" not in row  # that number was measured
    assert [row["relative"] for row in own if row["form"] == "plain, deployed"] == ["1.0", "1.0"]
    for name in ("forms.png", "repvgg_tiny_folding.png"):
        with Image.open(tmp_path / name) as picture:
            assert min(picture.size) > 300
    markdown = (tmp_path / "forms.md").read_text(encoding="utf-8")
    assert "| repvgg_tiny | deployed |" in markdown
    assert "1,000 frames, reckoned" in markdown


def test_a_network_without_blocks_ends_the_study_before_anything_is_measured(tmp_path, run):
    done = run(STUDY, "repvgg_tiny", "squeezenet1_1", "--size", 64, "-o", tmp_path)
    assert done.error.startswith("squeezenet1_1: has no RepVGG blocks to fold")
    assert not any(Path(tmp_path).iterdir())

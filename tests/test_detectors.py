"""The detectors against their specification: figures, folding, decoding, and files of YOLOv5."""

import math
import pickle
import re
import sys
import types

import pytest
import torch
from safetensors.torch import save_file
from test_models import randomise_batch_norms
from torch import nn

from game_classifier.errors import InputError
from game_classifier.frames.decode import Preprocessing
from game_classifier.models.anchor_head import COCO_ANCHORS, AnchorDecoder, AnchorHead
from game_classifier.models.checkpoint import Checkpoint, save_checkpoint
from game_classifier.models.cost import Cost, costs_of_forms
from game_classifier.models.fold import fold, fold_float64
from game_classifier.models.frame_network import FrameNetwork, answering
from game_classifier.models.weights import load_weights
from game_classifier.models.yolov5_detector import yolov5_detector
from game_classifier.models.zoo import DETECTION, NETWORKS, build_model

# Parameters and MACs with 80 classes at 640 pixels, in training and deployed. YOLOv5 v6.0 publishes 1.9, 7.2, 21.2,
# 46.5 and 86.7 M, PicoDet 0.99, 2.15 and 3.30 M, v5Lite-g 5.39 M deployed; RepYOLOv5s deployed is YOLOv5s of v5.0,
# parameter for parameter. PicoDet in YOLOv5-Lite is counted without the branches that never run.
FIGURES = {
    "yolov5n_detector": ((1_872_157, 2_234_060_800), (1_867_405, 2_234_060_800)),
    "yolov5s_detector": ((7_235_389, 8_216_780_800), (7_225_885, 8_216_780_800)),
    "yolov5m_detector": ((21_190_557, 24_436_224_000), (21_172_173, 24_436_224_000)),
    "yolov5l_detector": ((46_563_709, 54_496_870_400), (46_533_693, 54_496_870_400)),
    "yolov5x_detector": ((86_749_405, 102_724_096_000), (86_705_005, 102_724_096_000)),
    "repyolov5s_detector": ((7_535_293, 8_741_068_800), (7_266_973, 8_478_924_800)),
    "v5lite_g_detector": ((5_574_845, 8_017_254_400), (5_390_365, 7_807_539_200)),
    "picodet_s": ((992_715, 1_403_617_928), (983_891, 1_403_617_928)),
    "picodet_m": ((2_152_554, 2_864_514_720), (2_138_122, 2_864_514_720)),
    "picodet_l": ((3_305_009, 4_336_201_992), (3_286_977, 4_336_201_992)),
    "picodet_lite_s": ((645_874, 4_172_143_200), (640_834, 4_172_143_200)),
    "picodet_lite_m": ((1_358_459, 8_490_864_600), (1_350_747, 8_490_864_600)),
    "picodet_lite_l": ((2_306_452, 14_207_625_600), (2_296_180, 14_207_625_600)),
    "picodet_lite_x": ((2_425_864, 14_573_990_400), (2_414_728, 14_573_990_400)),
}
SMALLEST = ("yolov5n_detector", "repyolov5s_detector")
CLASSES = ("ball", "paddle", "score")


def small(name: str = "yolov5n_detector", num_classes: int = 3) -> nn.Module:
    torch.manual_seed(0)
    return build_model(name, num_classes)


# Figures.


@pytest.mark.parametrize("name", FIGURES)
def test_parameters_and_multiply_adds_are_those_of_the_specification(name):
    assert costs_of_forms(name, 80, 640) == tuple(Cost(*figures) for figures in FIGURES[name])


def test_every_detector_of_the_zoo_has_its_figures_checked():
    assert set(FIGURES) == {name for name, network in NETWORKS.items() if network.task == DETECTION}


# Outputs, boxes and scores.


@pytest.mark.parametrize("name", SMALLEST)
def test_outputs_lie_at_strides_8_16_and_32(name):
    outputs = small(name).eval()(torch.zeros(2, 3, 64, 96))
    assert [tuple(each.shape) for each in outputs] == [(2, 64 // s, 96 // s, 3, 8) for s in (8, 16, 32)]


def test_a_fresh_head_expects_few_objects():
    head = AnchorHead((8, 8, 8), 80)
    bias = head.outputs[1].bias.detach().view(3, 85)
    expected = math.log(8 / (640 / 16) ** 2)  # a convolution of 8 channels starts within 1 / sqrt(8) of 0
    assert (bias[:, 4] - expected).abs().max() <= 8**-0.5
    assert (bias[:, 5:] - math.log(0.6 / (80 - 0.99))).abs().max() <= 8**-0.5
    assert bias[:, :4].abs().max() <= 8**-0.5


def test_decoding_by_hand():
    """One cell of the level of stride 16, anchor 1 (62 x 45 pixels): row 2, column 3."""
    outputs = [torch.zeros(1, 64 // s, 96 // s, 3, 7) for s in (8, 16, 32)]
    logits = torch.tensor([0.4, -1.2, 0.3, -0.7, 1.5, -0.2, 2.5])
    outputs[1][0, 2, 3, 1] = logits
    boxes, scores = AnchorDecoder(AnchorHead((1, 1, 1), 2).anchors, (8, 16, 32))(outputs)
    assert boxes.shape == (1, 3 * (8 * 12 + 4 * 6 + 2 * 3), 4)
    row = 3 * 8 * 12 + 3 * (2 * 6 + 3) + 1
    x, y, width, height, objectness, *classes = [1 / (1 + math.exp(-each)) for each in logits.tolist()]
    cx, cy = (2 * x - 0.5 + 3) * 16, (2 * y - 0.5 + 2) * 16
    w, h = (2 * width) ** 2 * 62, (2 * height) ** 2 * 45
    expected = [cx - w / 2, cy - h / 2, cx + w / 2, cy + h / 2]
    torch.testing.assert_close(boxes[0, row], torch.tensor(expected))
    torch.testing.assert_close(scores[0, row], torch.tensor([objectness * each for each in classes]))
    # A head that says nothing gives the anchor itself, half a cell behind its cell's corner.
    torch.testing.assert_close(boxes[0, 0], torch.tensor([4 - 5, 4 - 6.5, 4 + 5, 4 + 6.5]))


def test_a_frame_network_answers_with_boxes_and_scores():
    network = FrameNetwork(answering(fold(small())), Preprocessing(64, 96))
    boxes, scores = network(torch.randint(0, 256, (2, 64, 96, 3), dtype=torch.uint8))
    assert (boxes.shape, scores.shape) == ((2, 378, 4), (2, 378, 3))
    assert boxes.dtype == scores.dtype == torch.float32
    assert ((scores >= 0) & (scores <= 1)).all()


# Folding.


@pytest.mark.parametrize("name", [*SMALLEST, "v5lite_g_detector", "picodet_s", "picodet_lite_s", "picodet_lite_m"])
def test_folding_keeps_the_outputs_and_leaves_no_batch_norm(name):
    network = randomise_batch_norms(small(name)).eval()
    pixels = torch.randn(2, 3, 64, 96)
    folded = fold_float64(network)
    with torch.inference_mode():
        for one, other in zip(network.double()(pixels.double()), folded(pixels.double()), strict=True):
            assert (one - other).abs().max() < 1e-10 * max(1, one.abs().max())
    assert not any(isinstance(module, nn.BatchNorm2d) for module in folded.modules())
    assert not any("conv_1x1" in key for key in folded.state_dict())


@pytest.mark.parametrize("name", SMALLEST)
def test_batch_norms_are_the_familys(name):
    norms = [module for module in small(name).modules() if isinstance(module, nn.BatchNorm2d)]
    assert {(norm.eps, norm.momentum) for norm in norms} == {(1e-3, 0.03)}


# Files of YOLOv5.


class Conv(nn.Module):
    """YOLOv5's own names, as its files have them."""

    def __init__(self, i, o, k=1, s=1, p=None):
        super().__init__()
        self.conv = nn.Conv2d(i, o, k, s, k // 2 if p is None else p, bias=False)
        self.bn = nn.BatchNorm2d(o, eps=1e-3, momentum=0.03)

    def forward(self, x):
        return nn.functional.silu(self.bn(self.conv(x)))


class Bottleneck(nn.Module):
    def __init__(self, c, add):
        super().__init__()
        self.cv1, self.cv2, self.add = Conv(c, c), Conv(c, c, 3), add

    def forward(self, x):
        y = self.cv2(self.cv1(x))
        return x + y if self.add else y


class C3(nn.Module):
    def __init__(self, i, o, n, add=True):
        super().__init__()
        self.cv1, self.cv2, self.cv3 = Conv(i, o // 2), Conv(i, o // 2), Conv(o, o)
        self.m = nn.Sequential(*(Bottleneck(o // 2, add) for _ in range(n)))

    def forward(self, x):
        return self.cv3(torch.cat([self.m(self.cv1(x)), self.cv2(x)], 1))


class SPPF(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.cv1, self.cv2 = Conv(c, c // 2), Conv(2 * c, c)

    def forward(self, x):
        x = [self.cv1(x)]
        for _ in range(3):
            x.append(nn.functional.max_pool2d(x[-1], 5, 1, 2))
        return self.cv2(torch.cat(x, 1))


class Detect(nn.Module):
    def __init__(self, widths, classes):
        super().__init__()
        strides = torch.tensor([8, 16, 32]).reshape(3, 1, 1)
        self.register_buffer("anchors", torch.tensor(COCO_ANCHORS, dtype=torch.float32) / strides)
        self.m = nn.ModuleList(nn.Conv2d(width, 3 * (5 + classes), 1) for width in widths)


FROM = {12: (11, 6), 16: (15, 4), 19: (18, 14), 22: (21, 10)}  # what each concatenation joins


class Original(nn.Module):
    """YOLOv5n of v6.0 as its model table has it: numbered layers, each on the one before it or on those named."""

    def __init__(self, classes):
        super().__init__()
        up = nn.Upsample(scale_factor=2)
        none = nn.Identity()  # a concatenation has no weights
        trunk = Conv(3, 16, 6, 2, 2), Conv(16, 32, 3, 2), C3(32, 32, 1), Conv(32, 64, 3, 2), C3(64, 64, 2)
        trunk += Conv(64, 128, 3, 2), C3(128, 128, 3), Conv(128, 256, 3, 2), C3(256, 256, 1), SPPF(256)
        neck = Conv(256, 128), up, none, C3(256, 128, 1, False), Conv(128, 64), up, none, C3(128, 64, 1, False)
        neck += Conv(64, 64, 3, 2), none, C3(128, 128, 1, False), Conv(128, 128, 3, 2), none, C3(256, 256, 1, False)
        self.model = nn.ModuleList([*trunk, *neck, Detect((64, 128, 256), classes)])

    def forward(self, x):
        seen = []
        for number, layer in enumerate(self.model[:-1]):
            x = torch.cat([seen[each] for each in FROM[number]], 1) if number in FROM else x
            seen.append(x := layer(x))
        maps = (seen[17], seen[20], seen[23])
        return [convolution(features) for convolution, features in zip(self.model[24].m, maps, strict=True)]


@pytest.fixture
def original() -> Original:
    torch.manual_seed(3)
    return randomise_batch_norms(Original(3)).eval()


@pytest.mark.parametrize("ending", ["pth", "safetensors"])
def test_a_state_dict_of_yolov5_gives_the_answers_of_the_original(tmp_path, original, ending):
    path = tmp_path / f"yolov5n.{ending}"
    original.model[24].anchors *= 1.5
    (torch.save if ending == "pth" else save_file)(original.state_dict(), path)
    network = small()
    loaded = load_weights(network, "yolov5n_detector", CLASSES, path)
    assert (loaded.kind, loaded.head) == ("YOLOv5", "kept")
    assert torch.equal(network.head.anchors, original.model[24].anchors)
    pixels = torch.randn(2, 3, 64, 96)
    with torch.inference_mode():
        for ours, theirs in zip(network.eval()(pixels), original(pixels), strict=True):
            theirs = theirs.view(2, 3, 8, *theirs.shape[2:]).permute(0, 3, 4, 1, 2)
            torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=1e-4)


def test_other_classes_leave_the_head_new_and_load_all_else(tmp_path, original):
    torch.save(original.state_dict(), tmp_path / "a.pth")
    network = small(num_classes=2)
    before = {key: value.clone() for key, value in network.state_dict().items()}
    assert load_weights(network, "yolov5n_detector", ("a", "b"), tmp_path / "a.pth").head.startswith("new")
    same = {key for key, value in network.state_dict().items() if torch.equal(before[key], value)}
    kept = {f"head.outputs.{level}.{part}" for level in range(3) for part in ("weight", "bias")} | {"head.anchors"}
    assert {key for key in same if not key.endswith("num_batches_tracked")} == kept


def test_a_key_that_is_missing_or_unknown_is_named(tmp_path, original):
    state = original.state_dict()
    del state["model.4.m.1.cv2.conv.weight"]
    state |= {"model.24.anchor_grid": torch.zeros(3), "model.0.conv.conv.weight": torch.zeros(3)}
    torch.save(state, tmp_path / "a.pth")
    with pytest.raises(InputError) as error:
        load_weights(small(), "yolov5n_detector", CLASSES, tmp_path / "a.pth")
    for key in ("trunk.stages.1.c3.blocks.1.conv2.conv.weight", "head.anchor_grid", "trunk.stem.conv.conv.weight"):
        assert key in str(error.value)


def test_a_pickled_module_is_refused_with_the_code_that_converts_it(tmp_path, monkeypatch):
    """The remedy of the message is run, and the file that it writes loads."""
    package = types.ModuleType("models")
    package.yolo = types.ModuleType("models.yolo")
    for name, module in (("models", package), ("models.yolo", package.yolo)):
        monkeypatch.setitem(sys.modules, name, module)
    for kind in (Original, Conv, C3, Bottleneck, SPPF, Detect):
        monkeypatch.setattr(kind, "__module__", "models.yolo")
        monkeypatch.setattr(package.yolo, kind.__name__, kind, raising=False)
    torch.manual_seed(3)
    monkeypatch.chdir(tmp_path)
    torch.save({"epoch": -1, "model": Original(3).half()}, "old.pt", pickle_module=pickle)
    with pytest.raises(InputError, match=r"old\.pt: refused: it holds models\.yolo\.\w+, .*give new\.pth") as error:
        load_weights(small(), "yolov5n_detector", CLASSES, tmp_path / "old.pt")
    assert "\n" not in str(error.value)
    exec(re.search(r"python -c '(.*)'", str(error.value))[1], {})
    assert load_weights(small(), "yolov5n_detector", CLASSES, tmp_path / "new.pth").head == "kept"


# The trunk of a classifier.


@pytest.mark.parametrize(
    ("name", "classifier"),
    [("yolov5n_detector", "yolov5n"), ("repyolov5s_detector", "repyolov5s"), ("picodet_s", "esnet_s")],
)
def test_a_detector_starts_from_the_trunk_of_a_classifier(tmp_path, name, classifier):
    source = randomise_batch_norms(small(classifier, 5))
    names = tuple("abcde")
    checkpoint = Checkpoint(classifier, names, Preprocessing(64, 64), source.state_dict(), 1)
    save_checkpoint(tmp_path / "a.pth", checkpoint)
    network = build_model(name, 3)
    loaded = load_weights(network, name, CLASSES, tmp_path / "a.pth")
    assert loaded.kind == f"this tool, the trunk of {classifier}"
    theirs = source.trunk if hasattr(source, "trunk") else nn.Sequential(source.stem, source.stages)
    pixels = torch.randn(1, 3, 64, 64)
    with torch.inference_mode():
        assert torch.equal(network.eval().trunk(pixels), theirs.eval()(pixels))


def test_a_checkpoint_of_another_classifier_is_refused(tmp_path):
    state = small("yolov5s", 2).state_dict()
    save_checkpoint(tmp_path / "a.pth", Checkpoint("yolov5s", ("a", "b"), Preprocessing(64, 64), state, 1))
    with pytest.raises(InputError, match="a checkpoint of yolov5s; give one of yolov5n_detector"):
        load_weights(small(), "yolov5n_detector", CLASSES, tmp_path / "a.pth")


def test_one_class_is_enough():
    assert yolov5_detector(1, 0.33, 0.25).head.outputs[0].out_channels == 18

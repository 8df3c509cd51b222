"""The zoo against its specification: figures, exact rewrites, and what every network of it must be able to do."""

import copy
import json
from itertools import product

import pytest
import torch
from conftest import ROOT
from test_models import randomise_batch_norms
from timm.models.cspnet import CspModelCfg, CspNet, CspStagesCfg, CspStemCfg
from torch import nn

from game_classifier.config import AugmentConfig, Config, GateConfig, read_config
from game_classifier.errors import InputError
from game_classifier.frames.decode import Preprocessing
from game_classifier.models.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from game_classifier.models.conv_norm import ConvNormAct, set_batch_norms
from game_classifier.models.cost import Cost, cost, costs_of_forms
from game_classifier.models.esnet import DEPTHS, ESNet, GhostBlock, Widths, shuffle_channels
from game_classifier.models.fold import fold, fold_float64
from game_classifier.models.repyolo import RepYOLOv5s, rep_block
from game_classifier.models.rewrites import SPP, SPPF, Focus, focus_to_convolution, spp_to_sppf
from game_classifier.models.weights import find_weights, load_weights
from game_classifier.models.yolov5 import BATCH_NORM, YOLOv5
from game_classifier.models.zoo import CLASSIFICATION, NETWORKS, build_model, network_names

# Name: (parameters, MACs) of the training form, then of the deployed one where it differs; 1000 classes, 224 pixels.
# RepVGG: agrees with Ding et al. 2021, table 4 (deployed). YOLOv5: with the published 2.5/5.4/12.9/26.5/48.1 M.
FIGURES = {
    "repvgg_tiny": ((75_496, 10_522_240), (72_400, 9_474_816)),
    "repvgg_t0": ((1_579_688, 211_251_200), (1_468_952, 190_177_280)),
    "repvgg_t1": ((2_571_752, 462_131_200), (2_358_952, 415_969_280)),
    "repvgg_a0": ((9_108_968, 1_512_581_120), (8_309_384, 1_361_451_008)),
    "repvgg_a1": ((14_092_264, 2_626_488_320), (12_789_864, 2_363_967_488)),
    "repvgg_a2": ((28_210_600, 5_685_345_280), (25_499_944, 5_116_951_552)),
    "repvgg_b0": ((15_817_960, 3_397_191_680), (14_339_048, 3_057_600_512)),
    "repvgg_b1": ((57_415_016, 13_128_089_600), (51_829_480, 11_815_485_440)),
    "repvgg_b1g2": ((45_782_376, 9_788_375_040), (41_360_104, 8_809_742_336)),
    "repvgg_b1g4": ((39_966_056, 8_118_517_760), (36_125_416, 7_306_870_784)),
    "repvgg_b2": ((89_022_376, 20_418_170_880), (80_315_112, 18_376_609_792)),
    "repvgg_b2g4": ((61_758_376, 12_590_714_880), (55_777_512, 11_331_899_392)),
    "repvgg_b3": ((123_085_288, 29_120_696_320), (110_960_872, 26_208_882_688)),
    "repvgg_b3g4": ((83_825_128, 17_849_159_680), (75_626_728, 16_064_499_712)),
    "repvgg_d2se": ((133_334_836, 36_476_744_192), (120_387_572, 32_829_551_104)),
    "squeezenet1_0": ((1_248_424, 818_924_576),) * 2,
    "squeezenet1_1": ((1_235_496, 349_151_936),) * 2,
    "yolov5n": ((2_493_000, 178_702_336), (2_489_464, 178_702_336)),
    "yolov5s": ((5_453_480, 635_504_640), (5_447_688, 635_504_640)),
    "yolov5m": ((12_957_640, 1_877_460_992), (12_947_192, 1_877_460_992)),
    "yolov5l": ((26_552_680, 4_185_556_992), (26_535_976, 4_185_556_992)),
    "yolov5x": ((48_097_160, 7_896_975_360), (48_072_600, 7_896_975_360)),
    "repyolov5s": ((4_901_672, 692_539_392), (4_720_264, 666_849_280)),
    "esnet_s": ((988_659, 80_251_976), (983_771, 80_251_976)),
    "esnet_m": ((1_851_026, 155_172_992), (1_843_890, 155_172_992)),
    "esnet_l": ((2_718_041, 234_908_448), (2_709_129, 234_908_448)),
}
WITHOUT_BATCH_NORM = ("yolov5n", "repyolov5s", "esnet_s", "esnet_x1_0")  # once folded; one of each family
FAMILIES = (*WITHOUT_BATCH_NORM, "squeezenet1_1", "repvgg_a0")


def small(name: str, num_classes: int = 5) -> nn.Module:
    torch.manual_seed(0)
    return build_model(name, num_classes)


# Figures.


@pytest.mark.parametrize("name", FIGURES)
def test_parameters_and_multiply_adds_are_those_of_the_specification(name):
    trained, deployed = costs_of_forms(name, 1000, 224)
    assert (trained, deployed) == tuple(Cost(*figures) for figures in FIGURES[name])


CLASSIFIERS = [name for name, network in NETWORKS.items() if network.task == CLASSIFICATION]


def test_every_classifier_of_the_zoo_has_its_figures_checked():
    assert {*FIGURES, "esnet_x1_0"} == set(CLASSIFIERS)  # x1_0 is in the table of ESNet's classifiers below
    assert set(NETWORKS) <= set(network_names())


@pytest.mark.parametrize(
    ("name", "figures"), [("squeezenet1_0", (740_554, 733_261_856)), ("squeezenet1_1", (727_626, 263_489_216))]
)
def test_figures_of_ten_classes(name, figures):
    assert costs_of_forms(name, 10, 224)[0] == Cost(*figures)


@pytest.mark.parametrize(
    ("name", "bare", "with_sppf"),
    [
        ("yolov5n", (1_138_760, 161_622_016), (1_303_368, 169_650_176)),
        ("yolov5s", (4_027_560, 602_624_000), (4_684_456, 634_736_640)),
        ("yolov5m", (11_460_040, 1_828_780_032), (12_936_904, 1_901_033_472)),
        ("yolov5l", (24_983_400, 4_121_075_712), (27_607_912, 4_249_526_272)),
        ("yolov5x", (46_456_200, 7_816_693_760), (50_556_040, 8_017_397_760)),
    ],
)
def test_the_trunk_of_yolov5_alone_and_with_sppf(name, bare, with_sppf):
    with torch.device("meta"):
        trunk = build_model(name, 1000).trunk
        width = trunk.stages[-1].c3.merge.conv.out_channels
        head = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(width, 1000))
        assert cost(nn.Sequential(trunk, head), 224) == Cost(*bare)
        assert cost(nn.Sequential(trunk, SPPF(width, width), head), 224) == Cost(*with_sppf)


def test_repyolov5s_without_its_pyramid_pooling():
    with torch.device("meta"):
        network = RepYOLOv5s(1000)
        network.stages[-1].spp = nn.Identity()
        assert cost(network, 224) == Cost(4_244_776, 660_426_752)
        assert cost(fold(network), 224) == Cost(4_064_136, 634_736_640)


@pytest.mark.parametrize(
    ("widths", "plain", "wide"),
    [
        ((32, 56, 120), (230_010, 20_556_436), (2_825_658, 29.0)),
        ((56, 120, 232), (640_687, 50_567_060), (3_239_023, 64.6)),
        ((88, 176, 352), (1_252_033, 100_084_936), (3_853_249, 120.0)),
        ((120, 232, 464), (2_016_414, 167_162_896), (4_620_318, 192.6)),  # the last is esnet_x1_0
    ],
)
def test_the_published_classifiers_of_esnet(widths, plain, wide):
    middle = sum(((width,) * depth for width, depth in zip(widths, DEPTHS, strict=True)), ())
    with torch.device("meta"):
        assert cost(ESNet(1000, Widths(widths, middle)), 224) == Cost(*plain)
        published = cost(ESNet(1000, Widths(widths, middle, (1024, 1280))), 224)
        assert (published.parameters, round(published.macs / 1e6, 1)) == wide
        if widths == (120, 232, 464):
            assert costs_of_forms("esnet_x1_0", 1000, 224)[0] == published


def test_counting_leaves_the_network_as_it_was():
    network = small("esnet_s").train()
    before = copy.deepcopy(network.state_dict())
    cost(network, 64)
    assert network.training
    assert all(torch.equal(before[key], value) for key, value in network.state_dict().items())


# Layers.


def test_the_trunk_of_yolov5_is_timms_cspnet():
    """An implementation by others, with our weights under its names."""
    ours = randomise_batch_norms(YOLOv5(5, 0.67, 0.25).trunk).double()
    stages = CspStagesCfg(
        out_chs=(32, 64, 128, 256),
        depth=(2, 4, 6, 2),
        stride=2,
        bottle_ratio=1.0,
        block_ratio=0.5,
        expand_ratio=1.0,
        down_growth=True,
        stage_type="cs3",
        block_type="dark",
    )
    stem = CspStemCfg(out_chs=16, kernel_size=6, stride=2, padding=2, pool="")
    theirs = CspNet(CspModelCfg(stem=stem, stages=stages, act_layer="silu"), num_classes=0).double().eval()
    set_batch_norms(theirs, **BATCH_NORM)
    own = ours.state_dict()
    weights = {}
    for key in theirs.state_dict():
        name = key.replace("stem.conv1.", "stem.").replace("conv_down", "downsample")
        name = name.replace("conv_transition", "c3.merge").replace(".blocks.", ".c3.blocks.")
        if "conv_exp" in name:
            parts = [own[name.replace("conv_exp", f"c3.{half}")] for half in ("through", "around")]
            weights[key] = parts[0] if parts[0].ndim == 0 else torch.cat(parts)
        else:
            weights[key] = own[name]
    theirs.load_state_dict(weights)
    pixels = torch.randn(2, 3, 64, 96, dtype=torch.float64)
    with torch.inference_mode():
        torch.testing.assert_close(ours(pixels), theirs.forward_features(pixels), atol=1e-10, rtol=1e-10)


@pytest.mark.parametrize("name", ["yolov5n", "repyolov5s"])
def test_batch_norms_of_the_yolo_family(name):
    network = build_model(name, 3)
    settings = {
        (each.eps, each.momentum): "head" in key
        for key, each in network.named_modules()
        if isinstance(each, nn.BatchNorm2d)
    }
    assert settings == {(1e-3, 0.03): False} | ({(1e-5, 0.1): True} if name == "yolov5n" else {})


def test_esnet_has_its_stages_at_strides_8_16_and_32():
    network = small("esnet_s").eval()
    features, sizes = network.stem(torch.zeros(1, 3, 64, 96)), []
    for stage in network.stages:
        features = stage(features)
        sizes.append(tuple(features.shape[1:]))
    assert sizes == [(96, 8, 12), (192, 4, 6), (384, 2, 3)]


def test_shuffling_is_that_of_torch():
    features = torch.randn(2, 12, 3, 5)
    for groups in (2, 3):
        assert torch.equal(shuffle_channels(features, groups), nn.ChannelShuffle(groups)(features))


def test_a_ghost_block_keeps_one_half_and_shuffles():
    features = torch.randn(2, 8, 4, 4)
    answer = GhostBlock(8, 6).eval()(features)
    assert torch.equal(answer[:, ::2], features[:, :4])
    assert not torch.equal(answer[:, 1::2], features[:, 4:])


# Rewrites.


@pytest.mark.parametrize(("size", "kernel"), [*product([(8, 12), (2, 2)], (1, 3, 5)), ((7, 9), 3), ((9, 6), 5)])
def test_focus_is_a_strided_convolution(size, kernel):
    torch.manual_seed(0)
    focus = randomise_batch_norms(Focus(3, 8, kernel)).double()
    pixels = torch.randn(2, 3, *size, dtype=torch.float64)
    convolution = focus_to_convolution(focus)
    conv = convolution.conv
    assert (conv.kernel_size, conv.stride) == ((2 * kernel,) * 2, (2, 2))
    assert (convolution(pixels) - focus(pixels)).abs().max() < 1e-10
    weight = focus.conv.conv.weight
    assert conv.weight.numel() == weight.numel()
    for a, b, c, u in product((0, 1), (0, 1), range(3), range(kernel)):
        assert torch.equal(conv.weight[:, c, 2 * u + a, b::2], weight[:, (a + 2 * b) * 3 + c, u])


def test_the_focus_of_the_specification_is_a_convolution_of_six_with_padding_of_two():
    conv = focus_to_convolution(Focus(3, 32)).conv
    assert (conv.kernel_size, conv.stride, conv.padding) == ((6, 6), (2, 2), (2, 2))
    with pytest.raises(ValueError, match="kernel of 2"):
        focus_to_convolution(Focus(3, 4, 2))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64])
@pytest.mark.parametrize(("kernels", "side"), [*product([(5, 9, 13)], (1, 3, 7, 20)), ((3, 5, 7), 6), ((5, 9), 6)])
def test_parallel_pools_are_one_after_another_to_the_bit(kernels, side, dtype):
    torch.manual_seed(0)
    spp = randomise_batch_norms(SPP(8, 12, kernels)).to(dtype)
    features = torch.randn(2, 8, side, side + 1).to(dtype)
    assert torch.equal(spp_to_sppf(spp)(features), spp(features))


@pytest.mark.parametrize("kernels", [(5, 9, 11), (4, 7, 10)])
def test_other_pools_are_not_rewritten(kernels):
    with pytest.raises(ValueError, match="not one odd kernel"):
        spp_to_sppf(SPP(8, 8, kernels))


# Folding.


@pytest.mark.parametrize("name", WITHOUT_BATCH_NORM)
def test_folding_keeps_the_logits_and_leaves_no_batch_norm(name):
    network = randomise_batch_norms(small(name))
    before = copy.deepcopy(network.state_dict())
    pixels = torch.randn(2, 3, 64, 96)
    with torch.inference_mode():
        exact = copy.deepcopy(network).double()(pixels.double())
        scale = exact.abs().max()
        assert exact.std() > 1e-3
        network.train()  # folding gives the evaluation form whatever mode the network is in
        assert (fold_float64(network)(pixels.double()) - exact).abs().max() / scale < 1e-10
        assert (fold(network)(pixels) - exact).abs().max() / scale < 1e-4
    assert all(torch.equal(before[key], value) for key, value in network.state_dict().items())
    assert network.training
    folded = fold(network)
    assert not folded.training
    assert not [each for each in folded.modules() if isinstance(each, nn.BatchNorm2d | Focus | SPP)]
    assert all(parameter.dtype == torch.float32 for parameter in folded.parameters())
    assert "conv_1x1" not in "".join(folded.state_dict())


@pytest.mark.parametrize("stride", [1, 2])
def test_a_rep_block_folds_all_its_branches_into_one_convolution(stride):
    torch.manual_seed(0)
    block = nn.Sequential(randomise_batch_norms(rep_block(8, 8, stride)))
    branches = [name for name, branch in block[0].named_children() if "conv" in name or name == "identity"]
    assert len(branches) == (3 if stride == 1 else 2)
    features = torch.randn(2, 8, 9, 12, dtype=torch.float64)
    with torch.inference_mode():
        exact = copy.deepcopy(block).double()(features)
        folded = fold_float64(block)
        assert (folded(features) - exact).abs().max() < 1e-10
    assert [name for name, _ in folded.named_parameters()] == ["0.reparam_conv.weight", "0.reparam_conv.bias"]


def test_batch_norm_is_fused_with_its_own_epsilon_and_into_any_convolution():
    torch.manual_seed(0)
    layer = ConvNormAct(8, 12, 3, 2, groups=4, activation=nn.Hardswish)
    set_batch_norms(randomise_batch_norms(layer), 0.5, 0.1)
    features = torch.randn(2, 8, 9, 9, dtype=torch.float64)
    exact = layer.double()(features)
    layer.reparameterize()
    layer.reparameterize()  # once more does nothing
    assert (layer(features) - exact).abs().max() < 1e-12
    assert sorted(layer.state_dict()) == ["conv.bias", "conv.weight"]


def test_timms_own_convolutions_keep_their_batch_norm():
    network = randomise_batch_norms(small("resnet18"))
    assert sorted(fold(network).state_dict()) == sorted(network.state_dict())


# Every network of the zoo.


@pytest.mark.parametrize("name", FAMILIES)
@pytest.mark.parametrize("size", [(64, 64), (96, 160), (128, 128)])
def test_logits_of_any_multiple_of_32(name, size):
    network = small(name, 7).eval()
    with torch.inference_mode():
        pixels = torch.randn(2, 3, *size)
        assert network(pixels).shape == fold(network)(pixels).shape == (2, 7)


@pytest.mark.parametrize("name", [name for name in CLASSIFIERS if not name.startswith("repvgg")])
def test_logits_of_32_and_224_pixels(name):
    with torch.device("meta"):
        network = build_model(name, 7).eval()
        for side in (32, 224):
            assert network(torch.zeros(3, 3, side, side)).shape == (3, 7)


@pytest.mark.parametrize(
    ("name", "form"),
    [*((name, "folded") for name in FAMILIES), *((name, "trained") for name in ("yolov5n", "repyolov5s", "esnet_s"))],
)
def test_tracing_and_exporting_hold_for_another_batch(name, form):
    network = randomise_batch_norms(small(name))
    network = fold(network) if form == "folded" else network
    example, pixels = torch.randn(2, 3, 64, 64), torch.randn(3, 3, 64, 64)
    batch = {0: torch.export.Dim("n", min=1, max=64)}
    with torch.no_grad():
        expected = network(pixels)
        exported = torch.export.export(network, (example,), dynamic_shapes=(batch,)).module()
        traced = torch.jit.trace(network, example)
        for other in (traced(pixels), exported(pixels)):
            torch.testing.assert_close(other, expected, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("name", FAMILIES)
def test_a_step_of_training_changes_every_weight(name):
    network = small(name).train()
    pixels, targets = torch.randn(4, 3, 64, 64), torch.arange(4)
    optimizer = torch.optim.SGD(network.parameters(), lr=0.01)
    before = copy.deepcopy(dict(network.named_parameters()))
    loss = nn.functional.cross_entropy(network(pixels), targets)
    loss.backward()
    optimizer.step()
    assert loss.isfinite()
    unchanged = [key for key, value in network.named_parameters() if torch.equal(before[key], value)]
    assert unchanged == []
    assert all(value.isfinite().all() for value in network.parameters())


@pytest.mark.parametrize("name", FAMILIES)
def test_a_checkpoint_brings_the_network_back(name, tmp_path):
    network = randomise_batch_norms(small(name, 3))
    save_checkpoint(
        tmp_path / "a.pth", Checkpoint(name, ("x", "y", "z"), Preprocessing(64, 64), network.state_dict(), 1)
    )
    pixels = torch.randn(2, 3, 64, 64)
    with torch.inference_mode():
        assert torch.equal(load_checkpoint(tmp_path / "a.pth").build()(pixels), network(pixels))


@pytest.mark.parametrize("name", FAMILIES)
def test_start_weights_of_other_classes(name, tmp_path):
    """The classifier is found and left new; all else is loaded."""
    source, network = small(name, 5), build_model(name, 3)
    torch.save(source.state_dict(), tmp_path / "weights.pth")
    loaded = load_weights(network, name, ("x", "y", "z"), tmp_path / "weights.pth")
    library = {"squeezenet1_1": "torchvision", "repvgg_a0": "timm"}.get(name, "this tool")
    assert (loaded.kind, loaded.head) == (library, "new (5 classes there, 3 here)")
    differing = [key for key, value in network.state_dict().items() if not torch.equal(value, source.state_dict()[key])]
    classifier = NETWORKS[name].classifier
    assert differing == [f"{classifier}.weight", f"{classifier}.bias"]


def test_files_of_repyolov5s_are_not_yolov5s(tmp_path):
    for name in ("repyolov5s_best.pth", "my-yolov5s.pth"):
        (tmp_path / name).touch()
    assert find_weights(tmp_path, "yolov5s").name == "my-yolov5s.pth"
    assert find_weights(tmp_path, "repyolov5s").name == "repyolov5s_best.pth"


def test_an_unknown_name_is_answered_with_near_ones_of_the_zoo():
    with pytest.raises(InputError, match=r"'yolov5' is not known; try .*yolov5.*--list-networks") as error:
        build_model("yolov5", 2)
    assert "\n" not in str(error.value)


# The list, and the recipes.


def test_list_networks_prints_a_row_for_each_and_needs_no_data(run, monkeypatch):
    shown = ("repvgg_a0", "squeezenet1_1", "yolov5n", "repyolov5s", "esnet_s")
    for name in [name for name in NETWORKS if name not in shown]:
        monkeypatch.delitem(NETWORKS, name)  # all of them take ten seconds
    outcome = run("src/main_train.py", "--list-networks")
    assert (outcome.status, outcome.err.count("error")) == (0, 0)
    lines = outcome.out.splitlines()
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("| ")]
    assert rows[0] == ["Network", "Source", "Input", "Parameters", "Deployed", "MACs", "Deployed"]
    assert [row[0] for row in rows[1:]] == list(shown)
    figures = {row[0]: row[2:] for row in rows[1:]}
    assert figures["repvgg_a0"] == ["224", "9,108,968", "8,309,384", "1,512.6 M", "1,361.5 M"]
    assert figures["repyolov5s"] == ["224", "4,901,672", "4,720,264", "692.5 M", "666.8 M"]
    assert all(row[1] for row in rows)


@pytest.mark.parametrize("name", ["squeezenet1_0", "squeezenet1_1"])
def test_every_class_of_a_fresh_squeezenet_gets_a_gradient(name):
    torch.manual_seed(0)
    network = build_model(name, 104).eval()
    logits = network(torch.randn(4, 3, 64, 64))
    assert (logits > 0).all()
    nn.functional.cross_entropy(logits, torch.tensor([0, 1, 2, 3])).backward()
    assert (network.classifier[1].weight.grad.flatten(1).norm(dim=1) > 0).all()


@pytest.mark.parametrize("path", sorted((ROOT / "config").glob("*.json")), ids=lambda path: path.stem)
def test_a_recipe_states_every_key_for_a_known_network(path):
    config = read_config(path, [])
    written = json.loads(path.read_text())
    assert list(written) == list(Config.model_fields)
    assert list(written["augment"]) == list(AugmentConfig.model_fields)
    assert list(written["gate"]) == list(GateConfig.model_fields)
    assert config.network in network_names()

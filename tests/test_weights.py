"""Start weights: synthetic files in the names of each source; none of the real ones can be had here."""

import argparse
import sys
import types
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from timm.models.byobnet import ByoBlockCfg, ByobNet, ByoModelCfg
from torch import nn

from game_classifier.errors import InputError
from game_classifier.frames.decode import Preprocessing
from game_classifier.models.checkpoint import Checkpoint, save_checkpoint
from game_classifier.models.weights import find_weights, load_weights
from game_classifier.models.zoo import build_model

NAMES = ("asteroids", "乒乓", "space invaders")


def randomised(network: nn.Module, seed: int) -> nn.Module:
    """Fresh BatchNorm statistics would hide a branch that is mixed up with another."""
    torch.manual_seed(seed)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias)
            module.running_mean.normal_()
            module.running_var.uniform_(0.5, 2)
            module.num_batches_tracked.fill_(seed + 5)
    return network.eval()


def tiny(classes: int = 3, seed: int = 0, attention: bool = False) -> nn.Module:
    """A narrow RepVGG of timm's own parts: the keys of repvgg_a0's first blocks, with attention of repvgg_d2se's."""
    torch.manual_seed(seed)
    blocks = tuple(ByoBlockCfg(type="rep", d=2, c=width, s=2, gs=0) for width in (8, 8, 16, 24))
    squeeze = {"attn_layer": "se", "attn_kwargs": {"rd_ratio": 0.25, "rd_divisor": 1}} if attention else {}
    network = ByobNet(ByoModelCfg(blocks=blocks, stem_type="rep", stem_chs=8, **squeeze), num_classes=classes)
    network.default_cfg = {"classifier": "head.fc"}
    return randomised(network, seed)


def renamed(key: str, table: dict[str, str]) -> str:
    for ours, theirs in table.items():
        key = key.replace(ours, theirs)
    return key


def dingxiaoh(network: nn.Module) -> dict[str, torch.Tensor]:
    table = {"stem.": "stage0.", **{f"stages.{k}.": f"stage{k + 1}." for k in range(4)}}
    table |= {"conv_kxk": "rbr_dense", "conv_1x1": "rbr_1x1", "identity": "rbr_identity"}
    table |= {"attn.fc1": "se.down", "attn.fc2": "se.up", "head.fc": "linear"}
    return {renamed(key, table): value for key, value in network.state_dict().items()}


def mmpretrain(network: nn.Module) -> dict[str, torch.Tensor]:
    table = {"stem.": "backbone.stem.", **{f"stages.{k}.": f"backbone.stage_{k + 1}." for k in range(4)}}
    table |= {".bn.": ".norm.", "conv_kxk": "branch_3x3", "conv_1x1": "branch_1x1", "identity": "branch_norm"}
    table |= {"attn.fc1": "se_layer.conv1.conv", "attn.fc2": "se_layer.conv2.conv"}
    return {renamed(key, table): value for key, value in network.state_dict().items()}


def prefixed(weights: dict, prefix: str) -> dict:
    return {prefix + key: value for key, value in weights.items()}


def saved(folder: Path, values: object, name: str = "weights.pth") -> Path:
    torch.save(values, folder / name)
    return folder / name


def logits(network: nn.Module, size: int = 32) -> torch.Tensor:
    frames = torch.rand(2, 3, size, size, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        return network.eval()(frames)


def assert_loads(source: nn.Module, path: Path, kind: str) -> None:
    """`path` makes another network the very network that `source` is."""
    network = tiny(seed=9, attention="stem.attn.fc1.weight" in source.state_dict())
    assert not torch.equal(logits(network), logits(source))
    loaded = load_weights(network, "repvgg_a0", NAMES, path)
    assert (loaded.source, loaded.kind, loaded.head) == (path, kind, "kept")
    assert torch.equal(logits(network), logits(source))
    state = network.state_dict()
    assert all(torch.equal(state[key], value) for key, value in source.state_dict().items())


DING, MM = "DingXiaoH/RepVGG", "mmpretrain / Awesome-Backbones"
FORMS = {
    "bare": (lambda n: dingxiaoh(n), DING),
    "state_dict": (lambda n: {"state_dict": dingxiaoh(n), "epoch": 3}, DING),
    "model": (lambda n: {"model": dingxiaoh(n)}, DING),
    "data parallel": (lambda n: {"state_dict": prefixed(dingxiaoh(n), "module.")}, DING),
    "compiled": (lambda n: prefixed(dingxiaoh(n), "module._orig_mod."), DING),
    "ema of main.py": (
        lambda n: {"model": dingxiaoh(tiny(seed=2)), "ema": dingxiaoh(n)},
        DING + ", averaged weights (ema)",
    ),
    "mm": (lambda n: {"state_dict": mmpretrain(n), "optimizer": {"state": {}, "lr": 0.1}}, MM),
    "mm, bare": (lambda n: mmpretrain(n), MM),
    "timm": (lambda n: n.state_dict(), "timm"),
    "timm's train.py": (
        lambda n: {
            "args": argparse.Namespace(lr=0.1, names=["a"]),
            "state_dict": tiny(seed=2).state_dict(),
            "state_dict_ema": n.state_dict(),
        },
        "timm, averaged weights (state_dict_ema)",
    ),
    "torchvision's train.py": (
        lambda n: {
            "model": tiny(seed=2).state_dict(),
            "model_ema": {"n_averaged": torch.tensor(4), **prefixed(n.state_dict(), "module.")},
            "args": argparse.Namespace(epochs=3),
        },
        "timm, averaged weights (model_ema)",
    ),
}


@pytest.mark.parametrize("attention", [False, True], ids=["plain", "squeeze and excitation"])
@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_file_gives_the_same_network(tmp_path, form, attention):
    source = tiny(attention=attention)
    make, kind = FORMS[form]
    assert_loads(source, saved(tmp_path, make(source)), kind)


def test_safetensors(tmp_path):
    source = tiny()
    save_file(source.state_dict(), tmp_path / "model.safetensors")
    assert_loads(source, tmp_path / "model.safetensors", "timm")


def test_repvgg_a0_in_the_published_names(tmp_path):
    source = randomised(build_model("repvgg_a0", 3), 0)
    for rename, kind, name in (
        (dingxiaoh, DING, "stage3.13.rbr_identity.running_var"),
        (mmpretrain, MM, "backbone.stage_4.0.branch_1x1.norm.running_mean"),
    ):
        weights = rename(source)
        assert name in weights
        assert len(weights) == 351
        network = build_model("repvgg_a0", 3)
        assert load_weights(network, "repvgg_a0", NAMES, saved(tmp_path, weights)).kind == kind
        assert torch.equal(logits(network), logits(source))


@pytest.mark.filterwarnings("ignore:for .*copying from a non-meta parameter:UserWarning")
@pytest.mark.parametrize("rename", [dingxiaoh, mmpretrain])
def test_repvgg_d2se_has_all_its_keys_and_shapes(tmp_path, rename):
    with torch.device("meta"):
        network = build_model("repvgg_d2se", 3)
    # One number each in the file, whatever the shape.
    weights = {key: torch.zeros((), dtype=value.dtype).expand(value.shape) for key, value in rename(network).items()}
    path = saved(tmp_path, weights)
    assert load_weights(network, "repvgg_d2se", NAMES, path).head == "kept"
    excitation = next(key for key in weights if ".se" in key)
    del weights[excitation]
    with pytest.raises(InputError, match=r"not in the file: stem\.attn\.fc1\.weight"):
        load_weights(network, "repvgg_d2se", NAMES, saved(tmp_path, weights))


def test_half_precision_and_dropped_batch_counts(tmp_path):
    source = tiny().half().float()
    weights = {key: value.half() for key, value in dingxiaoh(source).items() if not key.endswith("_tracked")}
    network = tiny(seed=9)
    load_weights(network, "repvgg_a0", NAMES, saved(tmp_path, weights))
    assert network.head.fc.weight.dtype == torch.float32
    assert torch.equal(logits(network), logits(source))
    assert network.stem.conv_kxk.bn.num_batches_tracked == 14  # its own


# What stands beside the weights.


def placed(monkeypatch, module: str, thing: type | types.FunctionType):
    """`thing` as one that is pickled under `module`, a package that is not installed or an older one."""
    for parent in [module.rsplit(".", cut)[0] for cut in range(module.count("."), 0, -1)]:
        if parent not in sys.modules:
            monkeypatch.setitem(sys.modules, parent, types.ModuleType(parent))
    monkeypatch.setitem(sys.modules, module, types.ModuleType(module))
    thing.__module__, thing.__qualname__ = module, thing.__name__
    setattr(sys.modules[module], thing.__name__, thing)
    return thing


def test_arrays_and_records_of_known_tools_are_passed_over(tmp_path, monkeypatch):
    class HistoryBuffer:
        def __init__(self):
            self.values = np.arange(3.0)
            self.methods = {"smallest": HistoryBuffer.smallest}

        def smallest(self):
            return self.values.min()

    HistoryBuffer.smallest.__qualname__ = "HistoryBuffer.smallest"
    HistoryBuffer.smallest.__module__ = "mmengine.logging.history_buffer"
    placed(monkeypatch, "mmengine.logging.history_buffer", HistoryBuffer)
    config = placed(monkeypatch, "yacs.config", type("CfgNode", (dict,), {}))(lr=0.1)
    config.frozen = True
    source = tiny()
    path = saved(
        tmp_path,
        {
            "meta": {
                "confusion": np.eye(3, dtype=np.int64),
                "precision": [np.float64(0.5), np.float32(1), np.array([0.25], ">f4")],
                "words": np.array(["a", "b"]),
                "things": np.array([{"a": 1}, None], dtype=object),
            },
            "message_hub": {"loss": HistoryBuffer()},
            "config": config,
            "state_dict": mmpretrain(source),
            "optimizer": torch.optim.SGD(source.parameters(), 0.1, momentum=0.9).state_dict(),
        },
    )
    monkeypatch.undo()  # the packages are not there when the file is read
    before = set(torch.serialization.get_safe_globals())
    assert_loads(source, path, MM)
    assert set(torch.serialization.get_safe_globals()) == before


@pytest.mark.parametrize("core", ["numpy.core.multiarray", "numpy._core.multiarray"])
def test_arrays_of_numpy_1_and_2(tmp_path, monkeypatch, core):
    class Array:
        def __reduce__(self):
            return _reconstruct, (np.ndarray, (0,), b"b"), (1, (1,), np.dtype("f8"), False, b"\x00" * 8)

    class Number:
        def __reduce__(self):
            return scalar, (np.dtype("f8"), b"\x00" * 8)

    def _reconstruct(*parts):
        pass

    def scalar(*parts):
        pass

    source = tiny()
    with monkeypatch.context() as older:
        placed(older, core, _reconstruct)
        sys.modules[core].scalar = scalar
        scalar.__module__, scalar.__qualname__ = core, "scalar"
        path = saved(tmp_path, {"meta": [Array(), Number()], "state_dict": mmpretrain(source)})
    assert core.encode() in path.read_bytes()
    assert_loads(source, path, MM)


class Malicious:
    def __init__(self, target: Path):
        self.target = str(target)

    def __reduce__(self):
        return open, (self.target, "w")


@pytest.mark.parametrize(
    "hide",
    [
        lambda it: it,
        lambda it: argparse.Namespace(it=it),
        lambda it: np.array([it], dtype=object),
        lambda it: {"deep": [(it,)]},
    ],
    ids=["plainly", "in a namespace", "in an array", "deep"],
)
def test_nothing_in_a_file_is_executed(tmp_path, hide):
    network = tiny(seed=9)
    path = saved(tmp_path, {"meta": hide(Malicious(tmp_path / "ran")), "state_dict": mmpretrain(tiny())})
    with pytest.raises(InputError, match=r"weights\.pth: refused: it holds (io\.)?open, not only .* give that file$"):
        load_weights(network, "repvgg_a0", NAMES, path)
    assert not (tmp_path / "ran").exists()


# The classifier.


def own_checkpoint(folder: Path, network: nn.Module, names: tuple[str, ...], name: str = "repvgg_a0") -> Path:
    checkpoint = Checkpoint(name, names, Preprocessing(32, 32), network.state_dict(), epoch=1)
    save_checkpoint(folder / "own.pth", checkpoint)
    return folder / "own.pth"


@pytest.mark.parametrize(
    ("theirs", "head"),
    [
        (NAMES, "kept"),
        (("space invaders", "asteroids", "乒乓"), "3 of 3 rows by class name"),
        (("乒乓", "pong", "asteroids"), "2 of 3 rows by class name; new: space invaders; no longer there: pong"),
        (("乒乓", "asteroids"), "2 of 3 rows by class name; new: space invaders"),
        (("a", *NAMES, "b"), "3 of 3 rows by class name; no longer there: a, b"),
        (
            tuple("abcdefg"),
            "0 of 3 rows by class name; new: asteroids, 乒乓, space invaders;"
            " no longer there: a, b, c, d, e and 2 more",
        ),
    ],
    ids=["the same", "another order", "one for another", "one more", "two fewer", "all others"],
)
def test_rows_of_our_own_checkpoint_go_by_class_name(tmp_path, theirs, head):
    source, network, fresh = tiny(len(theirs), seed=0), tiny(3, seed=9), tiny(3, seed=9)
    loaded = load_weights(network, "repvgg_a0", NAMES, own_checkpoint(tmp_path, source, theirs))
    assert (loaded.kind, loaded.head) == ("this tool", head)
    for row, name in enumerate(NAMES):
        origin, origin_row = (source, theirs.index(name)) if name in theirs else (fresh, row)
        assert torch.equal(network.head.fc.weight[row], origin.head.fc.weight[origin_row])
        assert network.head.fc.bias[row] == origin.head.fc.bias[origin_row]
    features = [net.forward_features(torch.ones(1, 3, 32, 32)) for net in (network, source, fresh)]
    assert torch.equal(features[0], features[1])
    assert not torch.equal(features[0], features[2])


def test_many_new_classes_are_counted(tmp_path):
    path = own_checkpoint(tmp_path, tiny(1), ("g",))
    loaded = load_weights(tiny(7), "repvgg_a0", tuple("abcdefg"), path)
    assert loaded.head == "1 of 7 rows by class name; new: a, b, c, d, e and 1 more"


@pytest.mark.parametrize("rename", [dingxiaoh, mmpretrain, lambda network: network.state_dict()])
def test_a_foreign_classifier_of_another_size_is_left_out(tmp_path, rename):
    source, network, fresh = tiny(5), tiny(3, seed=9), tiny(3, seed=9)
    loaded = load_weights(network, "repvgg_a0", NAMES, saved(tmp_path, rename(source)))
    assert loaded.head == "new (5 classes there, 3 here)"
    assert torch.equal(network.head.fc.weight, fresh.head.fc.weight)
    assert torch.equal(network.head.fc.bias, fresh.head.fc.bias)
    assert torch.equal(network.stem.conv_kxk.conv.weight, source.stem.conv_kxk.conv.weight)


def test_squeezenet_whose_classifier_is_a_convolution(tmp_path):
    torch.manual_seed(0)
    source, network = build_model("squeezenet1_1", 5), build_model("squeezenet1_1", 2)
    fresh = network.classifier[1].weight.clone()
    path = saved(tmp_path, source.state_dict())
    loaded = load_weights(network, "squeezenet1_1", ("a", "b"), path)
    assert (loaded.kind, loaded.head) == ("torchvision", "new (5 classes there, 2 here)")
    assert torch.equal(network.classifier[1].weight, fresh)
    assert torch.equal(network.features[0].weight, source.features[0].weight)
    own = own_checkpoint(tmp_path, source, tuple("vwxyb"), "squeezenet1_1")
    loaded = load_weights(network, "squeezenet1_1", ("a", "b"), own)
    assert loaded.head == "1 of 2 rows by class name; new: a; no longer there: v, w, x, y"
    assert torch.equal(network.classifier[1].weight[1], source.classifier[1].weight[4])
    assert torch.equal(network.classifier[1].weight[0], fresh[0])
    again = build_model("squeezenet1_1", 5)
    assert load_weights(again, "squeezenet1_1", tuple("abcde"), path).head == "kept"
    assert torch.equal(logits(again, 64), logits(source, 64))


def test_a_network_with_two_classifiers(tmp_path):
    """timm's distilled networks; the smallest part of one."""
    source, network = tiny(4), tiny(3, seed=9)
    for net, classes in ((source, 4), (network, 3)):
        net.second = nn.Linear(24, classes)
        net.default_cfg = {"classifier": ("head.fc", "second")}
    loaded = load_weights(network, "repvgg_a0", NAMES, saved(tmp_path, source.state_dict()))
    assert loaded.head == "new (4 classes there, 3 here)"
    own = own_checkpoint(tmp_path, source, ("x", *reversed(NAMES)))
    load_weights(network, "repvgg_a0", NAMES, own)
    for net_row, row in ((0, 3), (1, 2), (2, 1)):
        assert torch.equal(network.head.fc.weight[net_row], source.head.fc.weight[row])
        assert torch.equal(network.second.weight[net_row], source.second.weight[row])


# What is refused.


def without(weights: dict, *keys: str) -> dict:
    return {key: value for key, value in weights.items() if key not in keys}


DENSE = "stage1.0.rbr_dense.conv.weight"
REFUSED = {
    "a missing key": (
        lambda n: without(dingxiaoh(n), DENSE),
        r"does not fit repvgg_a0: not in the file: stages\.0\.0\.conv_kxk\.conv\.weight; give weights of",
    ),
    "keys that are too many": (
        lambda n: dingxiaoh(n) | {f"aux.{i}": torch.ones(1) for i in range(6)},
        r"not in the network: aux\.0, aux\.1, aux\.2, aux\.3 and 2 more; give",
    ),
    "a prefix on some keys only": (
        lambda n: without(n.state_dict(), "head.fc.bias") | {"module.head.fc.bias": n.head.fc.bias},
        r"not in the file: head\.fc\.bias; not in the network: module\.head\.fc\.bias",
    ),
    "other rows than the network, not in the classifier": (
        lambda n: dingxiaoh(n) | {DENSE: torch.ones(5, 8, 3, 3)},
        r"\(float32 \[5, 8, 3, 3\] there, float32 \[8, 8, 3, 3\] here\)",
    ),
    "another shape": (
        lambda n: dingxiaoh(n) | {DENSE: torch.ones(8, 8, 1, 1)},
        r"stages\.0\.0\.conv_kxk\.conv\.weight \(float32 \[8, 8, 1, 1\] there, float32 \[8, 8, 3, 3\] here\)",
    ),
    "quantised weights": (
        lambda n: dingxiaoh(n) | {DENSE: torch.ones(8, 8, 3, 3, dtype=torch.int8)},
        r"\(int8 \[8, 8, 3, 3\] there",
    ),
    "weights without values": (
        lambda n: dingxiaoh(n) | {DENSE: torch.ones(8, 8, 3, 3, device="meta")},
        r"of another shape or type: stages\.0\.0\.conv_kxk",
    ),
    "a wider classifier": (
        lambda n: dingxiaoh(n) | {"linear.weight": torch.ones(5, 99)},
        r"head\.fc\.weight \(float32 \[5, 99\] there",
    ),
    "weight and bias that differ in rows": (
        lambda n: dingxiaoh(n) | {"linear.bias": torch.ones(5)},
        r"classifier's weight, bias and class names differ in number",
    ),
    "the same weight twice": (
        lambda n: dingxiaoh(n) | {"head.fc.bias": torch.ones(3)},
        r"head\.fc\.bias would become head\.fc\.bias, which already exists; give a file of one tool$",
    ),
    "two tools in one file": (lambda n: mmpretrain(n) | dingxiaoh(n), r"not in the network: stage0\."),
    "a deploy form of DingXiaoH": (
        lambda n: {"stage0.rbr_reparam.weight": torch.ones(1)},
        r"a deploy-form file cannot be trained; give the training form$",
    ),
    "a deploy form of mmpretrain": (
        lambda n: {"state_dict": {"backbone.stem.branch_reparam.bias": torch.ones(1)}},
        r"a deploy-form file cannot be trained; give the training form$",
    ),
    "a deploy form of timm": (
        lambda n: {"stem.reparam_conv.weight": torch.ones(1)},
        r"a deploy-form file cannot be trained; give the training form$",
    ),
    "an empty dict": (lambda n: {}, r"not weights by name \(it is empty\); give a state_dict"),
    "an empty state_dict": (lambda n: {"state_dict": {}}, r"not weights by name \(it is empty\); give"),
    "something else": (lambda n: {"epoch": 3, "lr": 0.1}, r"not weights by name \(it holds epoch, lr\); give"),
    "arrays for weights": (
        lambda n: {"state_dict": {"a": np.ones(2)}},
        r"not weights by name \(it holds a\); give",
    ),
    "a list": (lambda n: [torch.ones(1)], r"holds a list, not weights by name; save a state_dict$"),
    "a whole module": (
        lambda n: nn.Identity(),
        r"refused: it holds torch\.nn\.modules\.linear\.Identity, not only",
    ),
}


def assert_refused(network: nn.Module, path: Path, message: str) -> None:
    """One line that opens with the file; nothing of the network is changed."""
    before = {key: value.clone() for key, value in network.state_dict().items()}
    with pytest.raises(InputError, match=message) as refusal:
        load_weights(network, "repvgg_a0", NAMES, path)
    assert str(refusal.value).startswith(f"{path}: ")
    assert "\n" not in str(refusal.value)
    assert all(torch.equal(before[key], value) for key, value in network.state_dict().items())


@pytest.mark.parametrize("case", REFUSED)
def test_what_does_not_fit_is_refused_whole(tmp_path, case):
    make, message = REFUSED[case]
    assert_refused(tiny(seed=9), saved(tmp_path, make(tiny())), message)


@pytest.mark.parametrize("name", ["half.pth", "half.safetensors", "text.pth", "empty.pth", "empty.safetensors"])
def test_damaged_files(tmp_path, name):
    if name.startswith("half"):
        save = save_file if name.endswith("safetensors") else torch.save
        save(tiny().state_dict(), tmp_path / "whole")
        (tmp_path / name).write_bytes((tmp_path / "whole").read_bytes()[:20_000])
    else:
        (tmp_path / name).write_text("hello" if name == "text.pth" else "")
    message = r"not a complete file of weights \(\w+Error: .*\); download it again$"
    assert_refused(tiny(seed=9), tmp_path / name, message)


def test_no_file_and_a_folder(tmp_path):
    assert_refused(tiny(), tmp_path / "none.pth", "no such file of weights; give one that exists")
    assert_refused(tiny(), tmp_path, "no such file of weights")


def test_a_torchscript_file_is_a_deploy_form(tmp_path, recwarn):
    torch.jit.trace(nn.ReLU(), torch.ones(1)).save(tmp_path / "deploy.pt")
    recwarn.clear()
    assert_refused(tiny(), tmp_path / "deploy.pt", r"a deploy-form file \(TorchScript\) cannot be trained; give")
    assert not recwarn.list  # torch would advise to run it


def test_our_own_checkpoint_of_another_network_or_with_other_weights(tmp_path):
    path = own_checkpoint(tmp_path, tiny(), NAMES, "repvgg_b0")
    assert_refused(tiny(seed=9), path, r"a checkpoint of repvgg_b0; give one of repvgg_a0$")
    path = own_checkpoint(tmp_path, tiny(attention=True), NAMES)
    assert_refused(tiny(seed=9), path, r"not in the network: stem\.attn\.fc1\.weight, .* and \d+ more")
    path = own_checkpoint(tmp_path, tiny(4), NAMES)
    assert_refused(tiny(seed=9), path, "weight, bias and class names differ in number")


# Finding a file in a folder.


@pytest.mark.parametrize(
    ("network", "files", "found"),
    [
        ("repvgg_a0", ["RepVGG-A0-train.pth", "RepVGG-A1-train.pth", "RepVGG-A0.txt"], "RepVGG-A0-train.pth"),
        ("repvgg_a0", ["RepVGG-A0-train.pth", "RepVGG-A0-deploy.pth"], "RepVGG-A0-train.pth"),
        ("repvgg_a0", ["repvgg_a0_cpp_deploy.pt"], "repvgg_a0_cpp_deploy.pt"),
        ("repvgg_a0", ["repvgg-A0_3rdparty_4xb64_in1k.PTH"], "repvgg-A0_3rdparty_4xb64_in1k.PTH"),
        ("repvgg_b1", ["RepVGG-B1-train.pth", "RepVGG-B1g2-train.pth", "RepVGG-B1g4.pth"], "RepVGG-B1-train.pth"),
        ("repvgg_b1g4", ["RepVGG-B1-train.pth", "RepVGG-B1g2-train.pth", "RepVGG-B1g4.pth"], "RepVGG-B1g4.pth"),
        ("squeezenet1_1", ["squeezenet1_0-b66bff10.pth", "squeezenet1_1-b8a52dc0.pth"], "squeezenet1_1-b8a52dc0.pth"),
        *[("repvgg_a0", [f"repvgg_a0{suffix}"], f"repvgg_a0{suffix}") for suffix in (".pt", ".pth.tar", ".bin")],
        ("repvgg_a0", ["repvgg_a0.rvgg_in1k.safetensors"], "repvgg_a0.rvgg_in1k.safetensors"),
    ],
)
def test_the_one_file_of_a_folder(tmp_path, network, files, found):
    for name in files:
        (tmp_path / name).touch()
    (tmp_path / "repvgg_a0.pth").mkdir()
    assert find_weights(tmp_path, network) == tmp_path / found
    assert find_weights(tmp_path / files[-1], "another") == tmp_path / files[-1]


@pytest.mark.parametrize(
    ("network", "files", "message"),
    [
        ("repvgg_a0", [], r"no file is named after repvgg_a0 \(found: no file that ends in \.pth\.tar"),
        ("repvgg_a0", ["repvgg_a0.txt"], r"\(found: no file that ends in"),
        ("repvgg_b1", ["RepVGG-B1g4.pth", "b.pth"], r"named after repvgg_b1 \(found: RepVGG-B1g4\.pth, b\.pth\); give"),
        ("repvgg_a0", [f"{i}.pth" for i in range(6)], r"\(found: 0\.pth, 1\.pth, 2\.pth, 3\.pth and 2 more\)"),
        (
            "repvgg_a0",
            ["repvgg_a0.pt", "RepVGG-A0.pth", "b.pth"],
            r"several .* \(found: RepVGG-A0\.pth, repvgg_a0\.pt\); give",
        ),
    ],
)
def test_none_or_several_files_in_a_folder(tmp_path, network, files, message):
    for name in files:
        (tmp_path / name).touch()
    with pytest.raises(InputError, match=message) as refusal:
        find_weights(tmp_path, network)
    assert str(refusal.value).startswith(f"{tmp_path}: ")


def test_no_such_place(tmp_path):
    with pytest.raises(InputError, match=r"zoo: no such file or folder; give a file of weights of repvgg_a0"):
        find_weights(tmp_path / "zoo", "repvgg_a0")

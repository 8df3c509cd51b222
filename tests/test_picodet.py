"""PicoDet and its port to YOLOv5 against a second account of their layers, written with plain functions on weights."""

import numpy as np
import onnxruntime
import pytest
import torch
from test_models import randomise_batch_norms
from torch import Tensor, nn
from torch.nn import functional as F

from game_classifier.frames.decode import Preprocessing
from game_classifier.models.fold import fold
from game_classifier.models.frame_network import FrameNetwork, answering
from game_classifier.models.pico_head import PicoHead
from game_classifier.models.zoo import build_model


def small(name: str, num_classes: int = 3) -> nn.Module:
    torch.manual_seed(0)
    return randomise_batch_norms(build_model(name, num_classes)).eval()


# In float64, so that an error shows behind many layers that make their input smaller.
NEARLY = {"atol": 1e-12, "rtol": 1e-12}


class Weights:
    """The weights of a network, used by name; each is read once."""

    def __init__(self, network: nn.Module, eps: float) -> None:
        self.state, self.eps = network.state_dict(), eps
        self.unread = {key for key in self.state if not key.endswith(("num_batches_tracked", "anchors"))}

    def read(self, key: str) -> Tensor:
        self.unread.remove(key)
        return self.state[key]

    def norm(self, name: str, x: Tensor) -> Tensor:
        mean, var, weight, bias = (self.read(f"{name}.{k}") for k in ("running_mean", "running_var", "weight", "bias"))
        return F.batch_norm(x, mean, var, weight, bias, eps=self.eps)

    def conv(self, name: str, x: Tensor, act=lambda x: x, stride: int = 1, depthwise: bool = False) -> Tensor:
        weight = self.read(f"{name}.conv.weight")
        groups = x.shape[1] if depthwise else 1
        return act(self.norm(f"{name}.bn", F.conv2d(x, weight, None, stride, weight.shape[-1] // 2, groups=groups)))

    def plain(self, name: str, x: Tensor) -> Tensor:
        return F.conv2d(x, self.read(f"{name}.weight"), self.read(f"{name}.bias"))

    def squeeze_excite(self, name: str, x: Tensor) -> Tensor:
        means = F.relu(self.plain(f"{name}.fc1", x.mean((2, 3), keepdim=True)))
        return x * ((self.plain(f"{name}.fc2", means) / 6 + 0.5).clamp(0, 1))


def doubled(x: Tensor) -> Tensor:
    return x.repeat_interleave(2, 2).repeat_interleave(2, 3)


def block_a(w: Weights, name: str, x: Tensor, first_act, mix_act) -> Tensor:
    """The ES block of stride 2."""
    b1 = w.conv(f"{name}.branch1.1", w.conv(f"{name}.branch1.0", x, stride=2, depthwise=True), F.hardswish)
    y = w.conv(f"{name}.branch2.1", w.conv(f"{name}.branch2.0", x, first_act), stride=2, depthwise=True)
    b2 = w.conv(f"{name}.branch2.3", w.squeeze_excite(f"{name}.branch2.2", y), F.hardswish)
    mixed = w.conv(f"{name}.mix.0", torch.cat([b1, b2], 1), mix_act, depthwise=True)
    return w.conv(f"{name}.mix.1", mixed, F.hardswish)


def block_b(w: Weights, name: str, x: Tensor, expand_act, ghost_act) -> Tensor:
    """The ES block of stride 1; channel j of the result is channel (j mod 2) C/2 + j div 2 before the shuffle."""
    a, c = x.chunk(2, 1)
    y = w.conv(f"{name}.expand", c, expand_act)
    z = torch.cat([y, w.conv(f"{name}.ghost", y, ghost_act, depthwise=True)], 1)
    d = torch.cat([a, w.conv(f"{name}.project", w.squeeze_excite(f"{name}.se", z), F.hardswish)], 1)
    return d[:, [(j % 2) * d.shape[1] // 2 + j // 2 for j in range(d.shape[1])]]


def same(x: Tensor) -> Tensor:
    return x


# The port to YOLOv5, layer by layer as in its model table.


def lite_outputs(w: Weights, x: Tensor, repeats: tuple[int, int, int], add: bool) -> list[Tensor]:
    def csp(name: str, x: Tensor) -> Tensor:
        y = w.conv(f"{name}.through.0", x, F.silu)
        y = w.conv(f"{name}.through.1.conv1", y, F.silu)
        y = w.conv(f"{name}.through.1.conv2", y, F.silu)
        both = torch.cat([w.conv(f"{name}.through.2", y), w.conv(f"{name}.around", x)], 1)
        return w.conv(f"{name}.merge", F.leaky_relu(both, 0.1), F.silu)

    def down(name: str, x: Tensor) -> Tensor:
        return w.conv(f"{name}.1", w.conv(f"{name}.0", x, F.relu, stride=2, depthwise=True), F.relu)

    x = w.conv("trunk.stem", x, F.hardswish, stride=2)
    maps = []
    for stage, count in enumerate(repeats):
        x = block_a(w, f"trunk.stages.{stage}.0", x, F.relu, same)
        for number in range(count):
            x = block_b(w, f"trunk.stages.{stage}.{number + 1}", x, F.silu, F.silu)
        maps.append(x)
    x7 = w.conv("neck.reduce", maps[2], F.silu)
    x9 = csp("neck.merge", torch.cat([x7, maps[2]], 1))
    x10 = w.conv("neck.pyramid.reduce5", x9, F.silu)
    x13 = csp("neck.pyramid.merge4", torch.cat([doubled(x10), maps[1]], 1))
    x14 = w.conv("neck.pyramid.reduce4", x13, F.silu)
    x17 = csp("neck.pyramid.out3", torch.cat([doubled(x14), maps[0]], 1))
    x20 = csp("neck.pyramid.out4", torch.cat([down("neck.pyramid.down3", x17), x14], 1))
    x23 = csp("neck.pyramid.out5", torch.cat([down("neck.pyramid.down4", x20), x10], 1))
    x25 = down("neck.coarsest", x23 + x7 if add else torch.cat([x23, x7], 1))
    return [w.plain(f"head.outputs.{level}", x) for level, x in enumerate((x17, x20, x23, x25))]


@pytest.mark.parametrize(("name", "repeats"), [("picodet_lite_s", (2, 5, 2)), ("picodet_lite_x", (3, 7, 3))])
def test_the_port_computes_its_layers(name, repeats):
    network = small(name).double()
    pixels = torch.randn(2, 3, 64, 96).double()
    weights = Weights(network, eps=1e-3)
    with torch.inference_mode():
        outputs = network(pixels)
        expected = lite_outputs(weights, pixels, repeats, add=name == "picodet_lite_s")
    assert [tuple(each.shape) for each in outputs] == [(2, 64 // s, 96 // s, 4, 8) for s in (4, 8, 16, 32)]
    for ours, theirs in zip(outputs, expected, strict=True):
        theirs = theirs.view(2, 4, 8, *theirs.shape[2:]).permute(0, 3, 4, 1, 2)
        torch.testing.assert_close(ours, theirs, **NEARLY)
    assert not weights.unread


def test_the_port_starts_with_anchors_of_three_and_six_cells():
    head = small("picodet_lite_s").head
    assert head.strides == (4, 8, 16, 32)
    assert torch.equal(head.anchors, torch.tensor([[[3.0, 3], [3, 6], [6, 3], [6, 6]]]).expand(4, -1, -1))


# PicoDet, as in its paper.


def pico_outputs(w: Weights, x: Tensor, head_blocks: int) -> list[Tensor]:
    def act(name: str, x: Tensor) -> Tensor:
        return w.conv(name, x, F.hardswish)

    def dp(name: str, x: Tensor, stride: int = 1) -> Tensor:
        return act(f"{name}.1", w.conv(f"{name}.0", x, F.hardswish, stride, depthwise=True))

    def csp(name: str, x: Tensor) -> Tensor:
        main = dp(f"{name}.through.2", act(f"{name}.through.1", act(f"{name}.through.0", x)))
        return act(f"{name}.merge", torch.cat([main, act(f"{name}.around", x)], 1))

    x = F.max_pool2d(w.conv("trunk.stem.0", x, F.hardswish, stride=2), 3, stride=2, padding=1)
    c = []
    for stage, count in enumerate((3, 7, 3)):
        x = block_a(w, f"trunk.stages.{stage}.0", x, F.hardswish, F.hardswish)
        for number in range(1, count):
            x = block_b(w, f"trunk.stages.{stage}.{number}", x, F.hardswish, same)
        c.append(x)
    p3, p4, p5 = (act(f"neck.equal.{level}", x) for level, x in enumerate(c))
    q4 = csp("neck.pyramid.merge4", torch.cat([doubled(p5), p4], 1))
    q3 = csp("neck.pyramid.out3", torch.cat([doubled(q4), p3], 1))
    o4 = csp("neck.pyramid.out4", torch.cat([dp("neck.pyramid.down3", q3, 2), q4], 1))
    o5 = csp("neck.pyramid.out5", torch.cat([dp("neck.pyramid.down4", o4, 2), p5], 1))
    o6 = dp("neck.coarsest_in", p5, 2) + dp("neck.coarsest_out", o5, 2)
    outputs = []
    for level, x in enumerate((q3, o4, o5, o6)):
        for number in range(head_blocks):
            x = dp(f"head.features.{level}.{number}", x)
        outputs.append(w.plain(f"head.outputs.{level}", x).permute(0, 2, 3, 1))
    return outputs


@pytest.mark.parametrize(("name", "head_blocks"), [("picodet_s", 2), ("picodet_m", 4)])
def test_picodet_computes_its_layers(name, head_blocks):
    """At a size whose last level is half a cell wider and higher than the frame."""
    network = small(name).double()
    pixels = torch.randn(2, 3, 96, 160).double()
    weights = Weights(network, eps=1e-5)
    with torch.inference_mode():
        outputs, expected = network(pixels), pico_outputs(weights, pixels, head_blocks)
    assert [tuple(each.shape) for each in outputs] == [(2, h, w, 35) for h, w in ((12, 20), (6, 10), (3, 5), (2, 3))]
    for ours, theirs in zip(outputs, expected, strict=True):
        torch.testing.assert_close(ours, theirs, **NEARLY)
    assert not weights.unread


# Both as deployed modules.


def answers_of(name: str) -> nn.Module:
    return FrameNetwork(answering(fold(small(name))), Preprocessing(64, 96))


FRAMES = np.random.default_rng(0).integers(0, 256, (3, 48, 80, 3), dtype=np.uint8)


@pytest.mark.parametrize("name", ["picodet_lite_s", "picodet_s"])
def test_a_traced_detector_answers_the_same_for_any_number_of_frames(name):
    network = answers_of(name)
    traced = torch.jit.trace(network, torch.from_numpy(FRAMES[:2]), check_trace=False)
    boxes, scores = network.infer(FRAMES)
    with torch.inference_mode():
        answers = traced(torch.from_numpy(FRAMES))
    for ours, theirs in zip((boxes, scores), answers, strict=True):
        np.testing.assert_allclose(ours, theirs.numpy(), atol=1e-4, rtol=1e-5)
    for number in range(3):
        alone = network.infer(FRAMES[number : number + 1])
        np.testing.assert_allclose(alone[0][0], boxes[number], atol=1e-3, rtol=1e-4)
        np.testing.assert_allclose(alone[1][0], scores[number], atol=1e-5)


class HeadAlone(nn.Module):
    """A head of PicoDet with its decoder."""

    def __init__(self) -> None:
        super().__init__()
        self.head = PicoHead(4, 3, 1)
        self.decoder = self.head.decoder()

    def forward(self, *maps: Tensor) -> tuple[Tensor, Tensor]:
        return self.decoder(self.head(list(maps)))


@pytest.mark.slow  # loads the exporter
def test_onnx_runtime_gives_the_same_boxes_and_scores(tmp_path):
    torch.manual_seed(0)
    network = randomise_batch_norms(HeadAlone()).eval()
    maps = [torch.randn(3, 4, height, width) for height, width in ((8, 12), (4, 6), (2, 3), (1, 2))]
    sizes = ({0: torch.export.Dim("frames")},) * 4
    torch.onnx.export(
        network, tuple(each[:2] for each in maps), tmp_path / "a.onnx", dynamic_shapes=(sizes,), dynamo=True
    )
    session = onnxruntime.InferenceSession(tmp_path / "a.onnx", providers=["CPUExecutionProvider"])
    inputs = {each.name: features.numpy() for each, features in zip(session.get_inputs(), maps, strict=True)}
    with torch.inference_mode():
        expected = network(*maps)
    for theirs, ours in zip(session.run(None, inputs), expected, strict=True):
        np.testing.assert_allclose(theirs, ours.numpy(), atol=1e-3, rtol=1e-4)

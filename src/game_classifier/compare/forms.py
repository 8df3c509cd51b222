"""How much time folding saves: a Rep network's training form, its deployed form and the plain network."""

import copy
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from timm.models.byobnet import RepVggBlock
from torch import Tensor, nn

from game_classifier.compare.turns import Run, Times, in_turns
from game_classifier.errors import InputError
from game_classifier.models.conv_norm import ConvNormAct
from game_classifier.models.cost import cost, operators
from game_classifier.models.fold import fold
from game_classifier.models.rewrites import Focus
from game_classifier.models.zoo import DETECTION, build_model, task_name

FRAMES_A_TURN = 500  # at most: a machine's speed drifts within minutes
NOISE = 8  # frames that BatchNorm's statistics are of
TRAINED, DEPLOYED = "training form", "deployed"
LEAKY, PLAIN = "LeakyReLU", "plain"
SLOPE = 0.1  # of LeakyReLU, as in YOLOv5
STRIDE = 32  # a detector's maps fit each other only for multiples of it


@dataclass(frozen=True)
class Difference:
    """The largest difference of two forms' outputs for the same frames."""

    share: float  # of the largest output: of logits, of a detector's scores, or of a layer's features
    pixels: float | None = None  # of a detector's boxes


@dataclass(frozen=True)
class Form:
    """One form of one network, or of one layer; its group's last form is the one that the others are compared with."""

    network: str
    form: str
    module: nn.Module
    shape: tuple[int, int, int]  # channels, height and width of an input
    operators: int
    parameters: int
    macs: int
    difference: Difference | None  # to the form it was made from; None for one that is made from no other


@dataclass(frozen=True)
class Timing:
    """A form over so many frames, one at a time; a round is all of them once."""

    form: Form
    frames: int  # a round
    times: Times


def without_branches(network: nn.Module) -> nn.Module:
    """Return a copy whose RepVGG blocks are only their widest convolution, BatchNorm and activation.

    So that repyolov5s and its detector become YOLOv5s of v5.0, and RepVGG the VGG that it is when it is deployed.
    """
    plain = copy.deepcopy(network)
    blocks = [(name, module) for name, module in plain.named_modules() if isinstance(module, RepVggBlock)]
    for name, block in blocks:
        wide = block.conv_kxk.conv
        convolution = ConvNormAct(
            wide.in_channels, wide.out_channels, wide.kernel_size[0], wide.stride[0], groups=wide.groups
        )
        # As YOLOv5 has it for all; a fresh BatchNorm has torch's.
        convolution.bn.eps, convolution.bn.momentum = block.conv_kxk.bn.eps, block.conv_kxk.bn.momentum
        plain.set_submodule(name, nn.Sequential(convolution, block.attn, block.act))
    return plain


def with_leaky_relu(network: nn.Module) -> nn.Module:
    """Return a copy with LeakyReLU(0.1) for each SiLU, in place where that was."""
    leaky = copy.deepcopy(network)
    for name, module in list(leaky.named_modules()):
        if isinstance(module, nn.SiLU):
            leaky.set_submodule(name, nn.LeakyReLU(SLOPE, inplace=module.inplace))
    return leaky


def kinds_of(network: nn.Module) -> dict[str, nn.Module]:
    """The network as "", with LeakyReLU if it has SiLU, and as the last the plain one, which has no branches."""
    kinds = {"": network}
    if any(isinstance(module, nn.SiLU) for module in network.modules()):
        kinds[LEAKY] = with_leaky_relu(network)
    return kinds | {PLAIN: without_branches(network)}


def require_branches(name: str, network: nn.Module) -> None:
    """Raise InputError for a network without RepVGG blocks."""
    if not any(isinstance(module, RepVggBlock) for module in network.modules()):
        raise InputError(
            f"{name}: has no RepVGG blocks to fold; give repyolov5s, repyolov5s_detector, v5lite_g_detector or a RepVGG"
            " network, such as repvgg_a0"
        )


def fold_norms(network: nn.Module) -> nn.Module:
    """Return a copy in evaluation mode that YOLOv5's own code would make: BatchNorm folded, Focus and SPP as they are.

    Only for networks made of `ConvNormAct`.
    """
    folded = copy.deepcopy(network).eval()
    for module in folded.modules():
        if isinstance(module, ConvNormAct):
            module.reparameterize()
    return folded.to(memory_format=torch.channels_last)


def forms_of(name: str, num_classes: int, size: int) -> list[Form]:
    """The network, with LeakyReLU if it has SiLU, and the plain one, as trained and as deployed, with random weights.

    The plain network of one with Focus has a form more, `fold_norms`. A detector has its decoder, so its outputs are
    boxes and scores before NMS. BatchNorm has the statistics of a batch of noise: with those of a fresh network folding
    would change nothing. Raises InputError for a network without RepVGG blocks, and for a size that a detector cannot
    take.
    """
    torch.manual_seed(0)
    trained = build_model(name, num_classes)
    require_branches(name, trained)
    if task_name(name) == DETECTION:
        check_detector_size(name, size)
    pixels = torch.randn(NOISE, 3, size, size)
    forms = []
    for kind, network in kinds_of(trained).items():
        settle(network, pixels)
        made = {TRAINED: network}
        if kind == PLAIN and any(isinstance(module, Focus) for module in trained.modules()):
            made["only BatchNorm folded"] = fold_norms(network)
        made[DEPLOYED] = fold(network)
        answering = {form: with_decoder(module) for form, module in made.items()}
        outputs = {form: outputs_of(module, pixels) for form, module in answering.items()}
        for form, module in answering.items():
            change = None if form == TRAINED else difference(outputs[form], outputs[TRAINED])
            forms.append(make_form(name, ", ".join(filter(None, (kind, form))), module, (3, size, size), change))
    return forms


def check_detector_size(name: str, size: int) -> None:
    """Raise InputError unless a detector takes frames of `size` x `size` pixels."""
    if size % STRIDE:
        raise InputError(f"--size {size}: {name} takes multiples of {STRIDE}, such as {size + -size % STRIDE}")


def settle(network: nn.Module, pixels: Tensor) -> None:
    """Give BatchNorm the statistics of these pixels, and put the network into evaluation mode and channels_last."""
    with torch.no_grad():
        network.train()(pixels)
    network.eval().to(memory_format=torch.channels_last)


def with_decoder(network: nn.Module) -> nn.Module:
    """A detector with the decoder of its boxes behind it; any other network as it is."""
    if not hasattr(network, "decoder"):
        return network
    return nn.Sequential(OrderedDict(network=network, decoder=network.decoder())).eval()


def outputs_of(module: nn.Module, pixels: Tensor) -> tuple[Tensor, ...]:
    """Logits, features, or boxes and scores."""
    with torch.inference_mode():
        outputs = module(pixels)
    return outputs if isinstance(outputs, tuple) else (outputs,)


def difference(outputs: tuple[Tensor, ...], expected: tuple[Tensor, ...]) -> Difference:
    """How far outputs of `outputs_of` are apart."""
    *distances, largest = [(ours - theirs).abs().max().item() for ours, theirs in zip(outputs, expected, strict=True)]
    return Difference(largest / expected[-1].abs().max().item(), *distances)


def make_form(
    network: str, form: str, module: nn.Module, shape: tuple[int, int, int], change: Difference | None = None
) -> Form:
    """The form with its costs."""
    channels, height, width = shape
    counted = cost(module, height, width, channels)
    count = operators(copy.deepcopy(module), height, width, channels).total()
    return Form(network, form, module, shape, count, counted.parameters, counted.macs, change)


def time_forms(forms: list[Form], frames: int, rounds: int, threads: int) -> list[Timing]:
    """Let each form answer for `frames` frames one at a time, `rounds` times, in turns; in fp32, torch's eager mode."""
    runs = {each.form: Run(rounds * frames, _call(each), rounds * frames) for each in forms}
    turns = -(-frames // FRAMES_A_TURN)
    with torch.inference_mode():
        times = in_turns(runs, rounds * turns, threads)
    return [Timing(each, frames, _by_round(times[each.form], rounds)) for each in forms]


def _call(form: Form) -> Callable[[int], object]:
    pixels = torch.randn(1, *form.shape).to(memory_format=torch.channels_last)
    return lambda call: form.module(pixels)


def _by_round(times: Times, rounds: int) -> Times:
    """The same times, with the turns of each round put together."""
    return Times(tuple(np.array_split(np.concatenate(times.rounds), rounds)), times.frames)

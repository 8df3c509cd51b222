"""How much time folding saves: a Rep network's training form, its deployed form and the plain network."""

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from timm.models.byobnet import RepVggBlock
from torch import Tensor, nn

from game_classifier.compare.table import Table
from game_classifier.compare.turns import Run, Times, in_turns
from game_classifier.errors import InputError
from game_classifier.models.conv_norm import ConvNormAct
from game_classifier.models.cost import cost, operators
from game_classifier.models.fold import fold
from game_classifier.models.zoo import build_model

FRAMES_A_TURN = 500  # at most: a machine's speed drifts within minutes
BYTES = 4  # of a weight in fp32
PLAIN = "plain, deployed"


@dataclass(frozen=True)
class Form:
    """One form of one network."""

    network: str
    form: str
    module: nn.Module
    operators: int
    parameters: int
    macs: int
    difference: float | None  # of a logit to the form it was made from, over the largest logit; None as trained


@dataclass(frozen=True)
class Timing:
    """A form over so many frames, one at a time; a round is all of them once."""

    form: Form
    frames: int  # a round
    times: Times


def without_branches(network: nn.Module) -> nn.Module:
    """Return a copy whose RepVGG blocks are only their widest convolution, BatchNorm and activation.

    So that repyolov5s becomes YOLOv5s of v5.0, and RepVGG the VGG that it is when it is deployed.
    """
    plain = copy.deepcopy(network)
    blocks = [(name, module) for name, module in plain.named_modules() if isinstance(module, RepVggBlock)]
    for name, block in blocks:
        wide = block.conv_kxk.conv
        convolution = ConvNormAct(
            wide.in_channels, wide.out_channels, wide.kernel_size[0], wide.stride[0], groups=wide.groups
        )
        plain.set_submodule(name, nn.Sequential(convolution, block.attn, block.act))
    return plain


def forms_of(name: str, num_classes: int, size: int) -> list[Form]:
    """The network and the plain one, both as they are trained and as they are deployed, with random weights.

    BatchNorm has the statistics of a batch of noise: with those of a fresh network folding would change nothing.
    Raises InputError for a network without RepVGG blocks.
    """
    torch.manual_seed(0)
    pixels = torch.randn(8, 3, size, size)
    forms = []
    trained = build_model(name, num_classes)
    if not any(isinstance(module, RepVggBlock) for module in trained.modules()):
        raise InputError(
            f"{name}: has no RepVGG blocks to fold; give repyolov5s or a RepVGG network, such as repvgg_a0"
        )
    for kind, network in (("", trained), ("plain, ", without_branches(trained))):
        with torch.no_grad():
            network.train()(pixels)
            network.eval().to(memory_format=torch.channels_last)
            deployed = fold(network)
            logits = network(pixels)
            difference = ((deployed(pixels) - logits).abs().max() / logits.abs().max()).item()
        forms.append(_form(name, f"{kind}training form", network, size, None))
        forms.append(_form(name, f"{kind}deployed", deployed, size, difference))  # PLAIN is one of them
    return forms


def _form(name: str, form: str, module: nn.Module, size: int, difference: float | None) -> Form:
    counted = cost(module, size)
    count = operators(copy.deepcopy(module), size).total()
    return Form(name, form, module, count, counted.parameters, counted.macs, difference)


def time_forms(forms: Sequence[Form], frames: int, size: int, rounds: int, threads: int) -> list[Timing]:
    """Let each form classify `frames` frames one at a time, `rounds` times, in turns; in fp32, torch's eager mode."""
    pixels = torch.randn(1, 3, size, size).to(memory_format=torch.channels_last)
    runs = {each.form: Run(rounds * frames, _call(each.module, pixels), rounds * frames) for each in forms}
    turns = -(-frames // FRAMES_A_TURN)
    with torch.inference_mode():
        times = in_turns(runs, rounds * turns, threads)
    return [Timing(each, frames, _by_round(times[each.form], rounds)) for each in forms]


def _call(module: nn.Module, pixels: Tensor) -> Callable[[int], Tensor]:
    return lambda call: module(pixels)


def _by_round(times: Times, rounds: int) -> Times:
    """The same times, with the turns of each round put together."""
    return Times(tuple(np.array_split(np.concatenate(times.rounds), rounds)), times.frames)


def forms_figures(timings: Sequence[Timing]) -> list[dict[str, object]]:
    """A row for each network, form and number of frames; `to_plain` is the time over the plain deployed network's."""
    rows = []
    for each in timings:
        plain = _plain(timings, each)
        seconds = [float(part.sum()) for part in each.times.rounds]
        ratios = [
            float(own.sum() / other.sum()) for own, other in zip(each.times.rounds, plain.times.rounds, strict=True)
        ]
        rows.append(
            {
                "network": each.form.network,
                "form": each.form.form,
                "operators": each.form.operators,
                "parameters": each.form.parameters,
                "megabytes": each.form.parameters * BYTES / 1e6,
                "macs": each.form.macs,
                "difference": each.form.difference,
                "frames": each.frames,
                "total_s": float(np.mean(seconds)),
                "total_s_min": min(seconds),
                "total_s_max": max(seconds),
                "ms": each.times.ms(),
                "to_plain": each.times.total() / plain.times.total(),
                "to_plain_min": min(ratios),
                "to_plain_max": max(ratios),
            }
        )
    return rows


def _plain(timings: Sequence[Timing], timing: Timing) -> Timing:
    """The timing that `timing` is compared with."""
    return next(
        each
        for each in timings
        if (each.form.network, each.frames) == (timing.form.network, timing.frames) and each.form.form == PLAIN
    )


def forms_table(figures: Sequence[Mapping[str, Any]], title: str) -> Table:
    """The rows of `forms_figures` for reading; ranges are those of the rounds."""
    rows = [
        [
            row["network"],
            row["form"],
            str(row["operators"]),
            f"{row['parameters']:,}",
            f"{row['megabytes']:.1f}",
            f"{row['macs'] / 1e6:,.1f} M",
            "" if row["difference"] is None else f"{row['difference']:.0e}",
            f"{row['frames']:,}",
            f"{row['total_s']:.2f} ({row['total_s_min']:.2f} to {row['total_s_max']:.2f})",
            f"{row['ms']:.2f}",
            ""
            if row["form"] == PLAIN
            else f"{row['to_plain']:.2f} ({row['to_plain_min']:.2f} to {row['to_plain_max']:.2f})",
        ]
        for row in figures
    ]
    header = ["Network", "Form", "Operators", "Parameters", "MB", "MACs", "Logits' difference", "Frames"]
    return Table(title, [*header, "Seconds", "ms", "Times plain, deployed"], rows, names=2)

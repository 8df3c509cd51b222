"""Time narrow RepVGGs in OpenVINO beside SqueezeNet 1.0, with random weights: which shapes the processor likes.

    python scripts/bench_slim.py                                                    # those of the zoo
    python scripts/bench_slim.py 24,24x2,48x4,96x8,512x1 32,32x2,64x4,96x12,512x1   # shapes of your own

A shape is the channels of the stem, then channels x blocks of each stage. Every network is folded and runs in INT8 and
in bf16, in batches of 32 and one frame at a time, all in turns. Accuracy is not measured here: docs/recipes.md has it.
"""

from argparse import Namespace
from collections.abc import Callable
from functools import partial

import numpy as np
import openvino as ov
import torch
from torch import nn

from game_classifier.command import CommandParser, positive, run_command
from game_classifier.compare.turns import Run, in_turns
from game_classifier.config import Config
from game_classifier.console import table
from game_classifier.deploy.openvino_file import convert_network
from game_classifier.deploy.quantize import quantized_models
from game_classifier.device import choose_threads
from game_classifier.errors import InputError
from game_classifier.models.cost import cost
from game_classifier.models.fold import fold
from game_classifier.models.frame_network import answering
from game_classifier.models.repvgg import plain_repvgg
from game_classifier.models.zoo import build_model
from game_classifier.runtime.openvino_file import compile_openvino, requests

BASELINE = "squeezenet1_0"
ZOO = ("repvgg_a0", "repvgg_t1", "repvgg_t0", "esnet_s")
BATCH = 32
CALIBRATION_FRAMES = 8  # the weights are random: the ranges only have to be sane


def main() -> None:
    """Parse, time, print."""
    parser = CommandParser(__doc__)
    parser.add_argument("shapes", nargs="*", metavar="SHAPE", help="STEM,CHANNELSxBLOCKS,... (default: the zoo's)")
    parser.add_argument("--classes", type=positive, default=104, help="number of classes (default: %(default)s)")
    parser.add_argument("--size", type=positive, default=128, help="side of the frames (default: %(default)s)")
    parser.add_argument("--batches", type=positive, default=40, help="batches of each network (default: %(default)s)")
    parser.add_argument("--rounds", type=positive, default=5, help="rounds in turns (default: %(default)s)")
    arguments = parser.parse_args()
    torch.manual_seed(0)
    networks = {BASELINE: build_model(BASELINE, arguments.classes)}
    networks |= {shape: _of_shape(shape, arguments.classes) for shape in arguments.shapes}
    if not arguments.shapes:
        networks |= {name: build_model(name, arguments.classes) for name in ZOO}
    print(_measure({name: fold(network) for name, network in networks.items()}, arguments))


def _of_shape(shape: str, classes: int) -> nn.Module:
    try:
        stem, *stages = shape.split(",")
        pairs = [tuple(map(int, stage.split("x"))) for stage in stages]
        return plain_repvgg(int(stem), [(blocks, channels) for channels, blocks in pairs], classes)
    except ValueError:
        raise InputError(f"shape {shape!r}: write STEM,CHANNELSxBLOCKS,..., such as 24,24x2,48x4,96x8,512x1") from None


def _measure(folded: dict[str, nn.Module], arguments: Namespace) -> str:
    preprocessing = Config(image_size=arguments.size).preprocessing()
    threads = choose_threads(None)
    pixels = np.random.default_rng(0).normal(0, 1, (BATCH, 3, arguments.size, arguments.size)).astype(np.float32)
    runs = {}
    for name, network in folded.items():
        int8: ov.Model = next(quantized_models(network, preprocessing, pixels[:CALIBRATION_FRAMES]))[1]
        plain = convert_network(answering(network), preprocessing)
        for precision, model in (("int8", int8), ("bf16", plain)):
            hint = "bf16" if precision == "bf16" else "fp32"
            for batch in (BATCH, 1):
                classify = requests(compile_openvino(model, hint, threads, batch_size=batch), 1)[0]
                count = arguments.batches if batch == BATCH else arguments.batches * 5
                runs[name, precision, batch] = Run(count, partial(_call, classify, pixels[:batch]), count * batch)
    times = in_turns(runs, arguments.rounds, threads)
    columns = [(precision, batch) for precision in ("int8", "bf16") for batch in (BATCH, 1)]
    header = ["Network", "MACs", *(f"{precision} x{batch}, ms" for precision, batch in columns), "of the baseline's"]
    rows = []
    for name, network in folded.items():
        found = [times[name, *column].ms() for column in columns]
        shares = [ms / times[BASELINE, *column].ms() for ms, column in zip(found, columns, strict=True)]
        macs = f"{cost(network, arguments.size).macs / 1e6:,.1f} M"
        rows.append([name, macs, *(f"{ms:.2f}" for ms in found), " ".join(f"{share:.0%}" for share in shares)])
    return table(f"Narrow networks beside {BASELINE}, {threads} threads", header, rows)


def _call(classify: Callable[[np.ndarray], np.ndarray], pixels: np.ndarray, _: int) -> None:
    classify(pixels)


if __name__ == "__main__":
    run_command(main)

"""What YOLOv5 v6.0 changed in YOLOv5s of v5.0, each change alone and all together.

Source: YOLOv5 v6.0's notes: a 6x6 convolution for Focus, SPPF for SPP, and C3 at stride 8 with 6 bottlenecks for 9.
"""

import torch
from torch import nn

from game_classifier.compare.forms import (
    NOISE,
    Form,
    check_detector_size,
    difference,
    fold_norms,
    make_form,
    outputs_of,
    settle,
    with_decoder,
    without_branches,
)
from game_classifier.models.repyolo import LAST, STAGES, STEM
from game_classifier.models.rewrites import SPP, Focus, focus_to_convolution, spp_to_sppf
from game_classifier.models.yolov5 import C3, scaled_depth
from game_classifier.models.zoo import build_model

DEPTH = 0.33  # of YOLOv5s
STRIDE8 = STAGES[1][0]  # channels there


def changes_of_v6(num_classes: int, size: int) -> list[list[Form]]:
    """Pairs of v5.0 and v6.0 as they run in YOLOv5s at `size` pixels, BatchNorm folded, with random weights.

    Stem and pooling have the same weights in both, so their outputs are compared; C3 and the whole network have not.
    Raises InputError for a size that a detector cannot take.
    """
    check_detector_size("YOLOv5s", size)
    torch.manual_seed(0)
    focus, spp = Focus(3, STEM), SPP(LAST, LAST)
    long, short = (C3(STRIDE8, STRIDE8, scaled_depth(blocks, DEPTH)) for blocks in (9, 6))
    v5_0 = without_branches(build_model("repyolov5s_detector", num_classes))
    v6_0 = build_model("yolov5s_detector", num_classes)
    frame, stride8, stride32 = (3, size, size), (STRIDE8, size // 8, size // 8), (LAST, size // 32, size // 32)
    return [
        _pair("YOLOv5s, stem", frame, {"Focus": focus, "6x6 convolution": focus_to_convolution(focus)}, equal=True),
        _pair("YOLOv5s, pooling", stride32, {"SPP": spp, "SPPF": spp_to_sppf(spp)}, equal=True),
        _pair("YOLOv5s, C3 at stride 8", stride8, {"9": long, "6": short}),
        _pair("YOLOv5s", frame, {"v5.0": v5_0, "v6.0": v6_0}),
    ]


def _pair(
    network: str, shape: tuple[int, int, int], modules: dict[str, nn.Module], *, equal: bool = False
) -> list[Form]:
    inputs = torch.randn(NOISE, *shape)
    for module in modules.values():  # a rewritten layer shares its BatchNorm with the first
        settle(module, inputs)
    (old, before), (new, after) = ((form, with_decoder(fold_norms(module))) for form, module in modules.items())
    change = difference(outputs_of(after, inputs), outputs_of(before, inputs)) if equal else None
    return [make_form(network, old, before, shape), make_form(network, new, after, shape, change)]

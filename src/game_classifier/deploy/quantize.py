"""Post-training quantization to INT8 for OpenVINO with NNCF, an optional extra."""

import importlib.util
import logging
from collections.abc import Iterator
from typing import Any

import numpy as np
import openvino as ov
import torch
from torch import nn

from game_classifier.deploy.equalize import equalize
from game_classifier.deploy.openvino_file import convert_network
from game_classifier.deploy.rounding import round_weights
from game_classifier.errors import InputError
from game_classifier.frames.decode import Preprocessing
from game_classifier.models.frame_network import answering

# Their values reach far above 0 and hardly below it: a scale from -v to v would waste nearly half of its steps.
LOPSIDED = nn.SiLU | nn.Hardswish | nn.LeakyReLU
ANSWER = "__module.1/"  # how names of layers behind the network begin; see models/frame_network.py, `answering`


def is_available() -> bool:
    """Whether NNCF is installed."""
    return importlib.util.find_spec("nncf") is not None


def quantized_models(
    folded: nn.Module, preprocessing: Preprocessing, calibration: np.ndarray
) -> Iterator[tuple[str, ov.Model]]:
    """Yield (way, INT8 network), the most accurate way first; each is made on demand.

    `calibration` float32 [N, 3, H, W] are inputs made of training frames, balanced over the classes. Weights are
    quantized by channel, activations by layer. Raises InputError when NNCF is not installed.
    """
    if not is_available():
        raise InputError("format int8: NNCF is not installed; pip install -e '.[int8]', or leave the format out")
    import nncf  # takes seconds, and is optional
    from nncf.quantization.range_estimator import RangeEstimatorParametersSet

    nncf.set_log_level(logging.ERROR)
    frames = nncf.Dataset([frame[None] for frame in calibration])
    common: dict[str, Any] = {"subset_size": len(calibration), "target_device": nncf.TargetDevice.CPU}
    if any(isinstance(module, LOPSIDED) for module in folded.modules()):
        common["preset"] = nncf.QuantizationPreset.MIXED  # a scale from the least to the largest value

    # docs/conversion.md has what each part of this way is worth.
    pixels = torch.from_numpy(calibration)
    even, pairs = equalize(folded, pixels)
    core = convert_network(answering(round_weights(even, pixels)), preprocessing)
    own_rounding = nncf.AdvancedQuantizationParameters(
        activations_range_estimator_params=RangeEstimatorParametersSet.MINMAX,  # even channels have no outliers to cut
        overflow_fix=nncf.OverflowFix.DISABLE,  # it would halve the grid that the weights are on
        disable_bias_correction=True,  # the rounding has seen to it
    )
    first = nncf.IgnoredScope(names=[_first_convolution(core), *_in_floating_point(core)])
    yield (
        "equalized and rounded" if pairs else "rounded",
        nncf.quantize(core, frames, ignored_scope=first, advanced_parameters=own_rounding, **common),
    )
    # For networks whose layers the way above does not reach, and processors that overflow without the fix.
    core = convert_network(answering(folded), preprocessing)
    apart = nncf.IgnoredScope(names=_in_floating_point(core))
    yield (
        "accurate bias correction",
        nncf.quantize(core, frames, ignored_scope=apart, fast_bias_correction=False, **common),
    )


def _in_floating_point(core: ov.Model) -> list[str]:
    """The names of the layers of the `known` score, and of those that turn outputs into answers, such as boxes."""
    names = (node.get_friendly_name() for node in core.get_ordered_ops() if node.get_type_name() != "Constant")
    return [name for name in names if ".known_head" in name or name.startswith(ANSWER)]


def _first_convolution(core: ov.Model) -> str:
    """The name of the layer that sees the pixels: 8 bits of them lose more than all other layers together."""
    convolutions = (node for node in core.get_ordered_ops() if "Convolution" in node.get_type_name())
    return next(convolutions).get_friendly_name()

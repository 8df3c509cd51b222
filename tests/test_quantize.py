"""INT8: the way that comes first loses least, on a network that quantizes badly."""

import numpy as np
import openvino as ov
import pytest
import torch
from test_equalize import uneven
from torch import nn

from game_classifier.deploy.equalize import equalize
from game_classifier.deploy.openvino_file import convert_network
from game_classifier.deploy.quantize import quantized_models
from game_classifier.deploy.rounding import round_weights
from game_classifier.frames.decode import Preprocessing
from game_classifier.models.frame_network import answering


def int8_weights(convolution: ov.Node) -> tuple[np.ndarray, np.ndarray]:
    """The stored steps int8 [O, I, h, w] of a quantized convolution, and the weights they stand for."""
    product = convolution.input_value(1).get_node()
    values, scale = (product.input_value(i).get_node() for i in (0, 1))
    while values.get_type_name() != "Constant":
        values = values.input_value(0).get_node()
    steps = values.get_data()
    assert steps.dtype == np.int8
    return steps, steps * scale.get_data()


def run(model: ov.Model, pixels: np.ndarray) -> np.ndarray:
    return ov.Core().compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})(pixels)[0]


@pytest.mark.slow
def test_the_first_way_is_nearer_to_fp32_than_the_other_and_leaves_only_the_pixels_in_floating_point():
    torch.manual_seed(0)
    network, size = uneven("repvgg_tiny"), Preprocessing(64, 64)
    # Smooth pictures, as frames are: neighbouring pixels alike.
    coarse = torch.randn(80, 3, 8, 8)
    pixels = torch.nn.functional.interpolate(coarse, 64, mode="bilinear").numpy()
    with torch.no_grad():  # logits of ordinary size: a softmax at its ends would hide every difference
        spread = network(torch.from_numpy(pixels)).std()
        network.head.fc.weight /= spread
        network.head.fc.bias /= spread
    expected = run(convert_network(answering(network), size), pixels)
    ways = dict(quantized_models(network, size, pixels[:40]))
    assert list(ways) == ["equalized and rounded", "accurate bias correction"]
    errors = {way: float(np.abs(run(model, pixels) - expected).mean()) for way, model in ways.items()}
    assert errors["equalized and rounded"] < 0.8 * errors["accurate bias correction"], errors

    convolutions = [op for op in ways["equalized and rounded"].get_ordered_ops() if op.get_type_name() == "Convolution"]
    inputs = [op.input_value(0).get_node().get_type_name() for op in convolutions]
    assert inputs[0] != "FakeQuantize"
    assert set(inputs[1:]) == {"FakeQuantize"}
    # NNCF takes the weights as they were rounded: its overflow fix would round them again, to half as many steps.
    calibration = torch.from_numpy(pixels[:40])
    rounded = round_weights(equalize(network, calibration)[0], calibration)
    ours = [module for module in rounded.modules() if isinstance(module, nn.Conv2d)]
    for op, module in zip(convolutions[1:], ours[1:], strict=True):
        steps, weights = int8_weights(op)
        kept = np.abs(steps).reshape(len(steps), -1).max(axis=1) == 127  # rows near zero get a coarser grid
        assert kept.mean() > 0.9
        expected = module.weight.detach().numpy()[kept]
        assert np.allclose(weights[kept], expected, rtol=1e-4, atol=1e-6 * np.abs(weights).max())

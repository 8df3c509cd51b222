"""INT8: the way that comes first loses least, on a network that quantizes badly."""

import numpy as np
import openvino as ov
import pytest
import torch
from test_equalize import uneven

from game_classifier.deploy.openvino_file import convert_network
from game_classifier.deploy.quantize import quantized_models
from game_classifier.frames.decode import Preprocessing
from game_classifier.models.frame_network import answering


def run(model: ov.Model, pixels: np.ndarray) -> np.ndarray:
    return ov.Core().compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})(pixels)[0]


@pytest.mark.slow
def test_the_first_way_is_nearer_to_fp32_than_the_other_and_leaves_only_the_pixels_in_floating_point():
    torch.manual_seed(0)
    network, size = uneven("repvgg_tiny"), Preprocessing(64, 64)
    # Smooth pictures, as frames are: neighbouring pixels alike.
    coarse = torch.randn(80, 3, 8, 8)
    pixels = torch.nn.functional.interpolate(coarse, 64, mode="bilinear").numpy()
    expected = run(convert_network(answering(network), size), pixels)
    ways = dict(quantized_models(network, size, pixels[:40]))
    assert list(ways) == ["equalized and rounded", "accurate bias correction"]
    errors = {way: float(np.abs(run(model, pixels) - expected).mean()) for way, model in ways.items()}
    assert errors["equalized and rounded"] < errors["accurate bias correction"] / 2, errors

    convolutions = [op for op in ways["equalized and rounded"].get_ordered_ops() if op.get_type_name() == "Convolution"]
    inputs = [op.input_value(0).get_node().get_type_name() for op in convolutions]
    assert inputs[0] != "FakeQuantize"
    assert set(inputs[1:]) == {"FakeQuantize"}

"""Making ONNX files, with preprocessing in the graph."""

import logging
import warnings
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import TensorProto, compose, helper, numpy_helper
from torch import nn

from game_classifier.frames.decode import Preprocessing
from game_classifier.models.frame_network import with_outputs
from game_classifier.models.known import gives_known
from game_classifier.runtime.onnx_file import FRAMES
from game_classifier.storage import replacing

OPSET = 18  # the first whose Resize has antialiasing
PIXELS, PROBABILITIES, KNOWN = "pixels", "probabilities", "known"
PREPARED = "prepared"  # the network's input, between the two graphs


def export_network(network: nn.Module, preprocessing: Preprocessing, optimize: bool = True) -> onnx.ModelProto:
    """A network of `answering` alone: `pixels` float32 [n, 3, height, width] -> `probabilities` [n, C].

    A network that gives it has a second output, `known` [n].
    """
    example = torch.zeros(2, 3, preprocessing.height, preprocessing.width)
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)  # it tells of each step
    try:
        with warnings.catch_warnings(action="ignore"):
            program = torch.onnx.export(
                with_outputs(network).eval(),
                (example,),
                dynamo=True,
                dynamic_shapes=({0: torch.export.Dim("n")},),
                input_names=[PIXELS],
                output_names=[PROBABILITIES, KNOWN] if gives_known(network) else [PROBABILITIES],
                opset_version=OPSET,
                optimize=optimize,
                verbose=False,
            )
    finally:
        logger.setLevel(level)
    return program.model_proto


def export_classifier(network: nn.Module, preprocessing: Preprocessing) -> onnx.ModelProto:
    """The deployed graph: `frames` uint8 RGB [n, h, w, 3] -> `probabilities` float32 [n, C], and `known` [n] if given.

    h and w are free where whole frames are squashed; other ways to resize stay outside.
    """
    core = export_network(network, preprocessing)
    before = helper.make_model(
        _preprocessing_graph(preprocessing), opset_imports=core.opset_import, ir_version=core.ir_version
    )
    return compose.merge_models(before, core, io_map=[(PREPARED, PIXELS)])


def _preprocessing_graph(preprocessing: Preprocessing) -> onnx.GraphProto:
    """`frames` as they come -> `prepared`, the network's float input."""
    height, width = preprocessing.height, preprocessing.width
    mean, scale = (values.reshape(3, 1, 1) for values in preprocessing.normalization())
    constants = {"normalize.mean": mean, "normalize.scale": scale}
    nodes = []
    resized = FRAMES
    if resizes(preprocessing):
        constants["resize.size"] = np.array([height, width], np.int64)
        resized = "resized"
        # Over the axes of the frames as they come: onnxruntime 1.31 fails on uint8 with the channels first.
        resize = {"mode": "linear", "antialias": 1, "axes": [1, 2], "coordinate_transformation_mode": "half_pixel"}
        nodes.append(helper.make_node("Resize", [FRAMES, "", "", "resize.size"], [resized], **resize))
    nodes += [
        helper.make_node("Cast", [resized], ["floats"], to=TensorProto.FLOAT),
        helper.make_node("Transpose", ["floats"], ["channels_first"], perm=[0, 3, 1, 2]),
        helper.make_node("Sub", ["channels_first", "normalize.mean"], ["centred"]),
        helper.make_node("Mul", ["centred", "normalize.scale"], [PREPARED]),
    ]
    size = ["h", "w"] if resizes(preprocessing) else [height, width]
    return helper.make_graph(
        nodes,
        "preprocessing",
        [helper.make_tensor_value_info(FRAMES, TensorProto.UINT8, ["n", *size, 3])],
        [helper.make_tensor_value_info(PREPARED, TensorProto.FLOAT, ["n", 3, height, width])],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )


def resizes(preprocessing: Preprocessing) -> bool:
    """Whether an ONNX or OpenVINO file resizes whole frames; padding and cropping stay with the caller."""
    return preprocessing.resize == "squash"


def save_onnx(path: Path, model: onnx.ModelProto, texts: dict[str, str]) -> None:
    """Write the file in one step, with `texts` as its metadata."""
    helper.set_model_props(model, texts)
    with replacing(path) as temporary:
        temporary.write_bytes(model.SerializeToString(deterministic=True))

"""Making ONNX files, with preprocessing in the graph."""

import logging
import warnings
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import compose, helper, numpy_helper, parser
from torch import nn

from game_classifier.frames.decode import Preprocessing
from game_classifier.models.frame_network import gives_boxes, output_names, with_outputs
from game_classifier.runtime.onnx_file import FRAMES
from game_classifier.storage import replacing

OPSET = 18  # the first whose Resize has antialiasing
PIXELS = "pixels"
PREPARED = "prepared"  # the network's input, between the two graphs
BOXES = "boxes"

# Steps of the graph before the network, in ONNX's own text, as frames/decode.py takes them. `whole` is the size of the
# network's input, `scaled` that of the picture on it, int64 [height, width], and `first` its corner, [top, left].
RESIZE = """
    {} = Resize <mode = "linear", antialias = 1, axes = [1, 2], coordinate_transformation_mode = "half_pixel">
        (frames, , , scaled)
"""  # over the axes of the frames as they come: onnxruntime 1.31 fails on uint8 with the channels first
LETTERBOX = f"""
    size = Shape <start = 1, end = 3> (frames)
    exact_size = Cast <to = 11> (size)
    exact_whole = Cast <to = 11> (whole)
    ratios = Div (exact_whole, exact_size)
    ratio = ReduceMin (ratios)
    fitting = Mul (exact_size, ratio)
    raised = Add (fitting, half)
    rounded = Floor (raised)
    limited = Min (rounded, exact_whole)
    some = Max (limited, one)
    scaled = Cast <to = 7> (some)
    {RESIZE.format("resized")}
    padding = Sub (whole, scaled)
    first = Div (padding, two)
    last = Sub (padding, first)
    pads = Concat <axis = 0> (zero, first, zero, zero, last, zero)
    fitted = Pad (resized, pads)
"""
FIT = {"squash": RESIZE.format("fitted"), "letterbox": LETTERBOX}
NORMALIZE = """
    floats = Cast <to = 1> (fitted)
    channels_first = Transpose <perm = [0, 3, 1, 2]> (floats)
    centred = Sub (channels_first, mean)
    prepared = Mul (centred, scale)
"""
# What `undo_resize` of models/frame_network.py subtracts from boxes and multiplies them with, float [4] each.
UNDO = """
    frames_size = Shape <start = 1, end = 3> (frames)
    exact_frames = Cast <to = 11> (frames_size)
    exact_scaled = Cast <to = 11> (scaled)
    enlargements = Div (exact_frames, exact_scaled)
    factors = Cast <to = 1> (enlargements)
    places = Cast <to = 1> (first)
    box_place = Gather (places, corners)
    box_factor = Gather (factors, corners)
"""
CONSTANTS = {
    "zero": np.zeros(1, np.int64),
    "two": np.full(1, 2, np.int64),
    "half": np.full(1, 0.5),
    "one": np.ones(1),
    "corners": np.array([1, 0, 1, 0]),  # x1 y1 x2 y2 of a pair of height and width
}


def export_network(network: nn.Module, preprocessing: Preprocessing, optimize: bool = True) -> onnx.ModelProto:
    """A network of `answering` alone: `pixels` float32 [n, 3, height, width] -> its `output_names`, [n, ...] each."""
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
                output_names=list(output_names(network)),
                opset_version=OPSET,
                optimize=optimize,
                verbose=False,
            )
    finally:
        logger.setLevel(level)
    return program.model_proto


def export_deployed(network: nn.Module, preprocessing: Preprocessing) -> onnx.ModelProto:
    """The deployed graph: `frames` uint8 RGB [n, h, w, 3] -> the network's `output_names`, [n, ...] each.

    h and w are free where whole frames are squashed or letterboxed, and a detector's boxes are then in pixels of these
    frames; cropping stays outside.
    """
    core = export_network(network, preprocessing)
    undo = gives_boxes(network) and resizes(preprocessing)
    before = helper.make_model(
        _preprocessing_graph(preprocessing, undo), opset_imports=core.opset_import, ir_version=core.ir_version
    )
    model = compose.merge_models(before, core, io_map=[(PREPARED, PIXELS)])
    if undo:
        _undo_resize(model.graph)
    return model


def _preprocessing_graph(preprocessing: Preprocessing, undo: bool) -> onnx.GraphProto:
    """`frames` as they come -> `prepared`, the network's float input; with `undo`, also what UNDO makes."""
    height, width = preprocessing.height, preprocessing.width
    size = "h, w" if resizes(preprocessing) else f"{height}, {width}"
    fit = FIT.get(preprocessing.resize, "fitted = Identity (frames)")
    boxes = ", float[4] box_place, float[4] box_factor" if undo else ""
    graph = parser.parse_graph(
        f"preprocessing (uint8[n, {size}, 3] {FRAMES}) => (float[n, 3, {height}, {width}] {PREPARED}{boxes})"
        f" {{ {fit} {NORMALIZE} {UNDO if undo else ''} }}"
    )
    whole = np.array([height, width])
    mean, scale = (values.reshape(3, 1, 1) for values in preprocessing.normalization())
    # Squashed, the picture is the whole input.
    constants = CONSTANTS | {"whole": whole, "scaled": whole, "first": 0 * whole, "mean": mean, "scale": scale}
    made = {name for node in graph.node for name in node.output}
    needed = {name for node in graph.node for name in node.input} - made
    graph.initializer.extend(numpy_helper.from_array(constants[name], name) for name in constants if name in needed)
    # No name of the network's may be among ours.
    return compose.add_prefix_graph(graph, "preprocessing.", rename_inputs=False, rename_outputs=False)


def _undo_resize(graph: onnx.GraphProto) -> None:
    """Move the boxes from the network's input to the frames."""
    for node in graph.node:
        for number, name in enumerate(node.output):
            if name == BOXES:
                node.output[number] = "network_boxes"
    graph.node.append(helper.make_node("Sub", ["network_boxes", "box_place"], ["moved_boxes"]))
    graph.node.append(helper.make_node("Mul", ["moved_boxes", "box_factor"], [BOXES]))
    for output in [each for each in graph.output if each.name in ("box_place", "box_factor")]:
        graph.output.remove(output)


def resizes(preprocessing: Preprocessing) -> bool:
    """Whether an ONNX file resizes whole frames; cropping stays with the caller."""
    return preprocessing.resize in FIT


def save_onnx(path: Path, model: onnx.ModelProto, texts: dict[str, str]) -> None:
    """Write the file in one step, with `texts` as its metadata."""
    helper.set_model_props(model, texts)
    with replacing(path) as temporary:
        temporary.write_bytes(model.SerializeToString(deterministic=True))

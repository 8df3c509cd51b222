"""Making OpenVINO files (.xml with its .bin), with preprocessing in the graph."""

import hashlib
import tempfile
import warnings
from pathlib import Path

import numpy as np
import openvino as ov
import openvino.opset13 as op
import torch
from torch import nn

from game_classifier.frames.decode import Preprocessing
from game_classifier.models.frame_network import output_names, with_outputs
from game_classifier.runtime.openvino_file import BIN_HASH, SECTION

FRAMES = "frames"


def convert_network(network: nn.Module, preprocessing: Preprocessing) -> ov.Model:
    """A network of `answering` alone: float32 pixels [N, 3, height, width] -> its `output_names`."""
    size = (3, preprocessing.height, preprocessing.width)
    with warnings.catch_warnings(action="ignore"):
        model = ov.convert_model(
            with_outputs(network).eval(),
            example_input=torch.zeros(2, *size),
            input=[ov.PartialShape([-1, *size])],
        )
    for output, name in zip(model.outputs, output_names(network), strict=True):
        output.get_tensor().set_names({name})
    return model


def add_preprocessing(core: ov.Model, preprocessing: Preprocessing) -> ov.Model:
    """The deployed graph: `frames` uint8 RGB [N, H, W, 3] -> the outputs of `core`.

    H and W are free where `resizes` says so.
    """
    core = core.clone()
    height, width = preprocessing.height, preprocessing.width
    inside = resizes(core, preprocessing)
    frames = op.parameter([-1, -1, -1, 3] if inside else [-1, height, width, 3], ov.Type.u8)
    frames.output(0).set_names({FRAMES})
    resized = resize(frames, height, width) if inside else frames
    pixels = normalize(resized, preprocessing)
    for consumer in core.input().get_target_inputs():
        consumer.replace_source_output(pixels.output(0))
    return ov.Model(core.get_results(), [frames])


def resize(frames: ov.Node, height: int, width: int) -> ov.Node:
    """Bilinear with antialiasing as Pillow's, in uint8."""
    sides, axes = op.constant([height, width], ov.Type.i32), op.constant([1, 2], ov.Type.i32)
    return op.interpolate(frames, sides, "bilinear_pillow", "sizes", axes=axes)


def normalize(frames: ov.Node, preprocessing: Preprocessing) -> ov.Node:
    """uint8 [N, height, width, 3] -> float32 [N, 3, height, width], the network's input.

    The CPU's convolutions read [N, H, W, 3], so the transposition costs nothing where it comes last. OpenVINO moves it
    before its own steps for this, which copies all pixels twice. By rows, the steps take a third of the time by pixels.
    """
    height, width = preprocessing.height, preprocessing.width
    mean, scale = (op.constant(np.tile(values, width)) for values in preprocessing.normalization())  # of a row's values
    rows = op.reshape(op.convert(frames, "f32"), [0, height, 3 * width], special_zero=True)
    pixels = op.reshape(op.multiply(op.subtract(rows, mean), scale), [0, height, width, 3], special_zero=True)
    return op.transpose(pixels, [0, 3, 1, 2])


def resizes(core: ov.Model, preprocessing: Preprocessing) -> bool:
    """Whether a file resizes whole frames: squashed ones of a classifier, since boxes would have to be moved back."""
    return preprocessing.resize == "squash" and not any("boxes" in output.get_names() for output in core.outputs)


def save_openvino(path: Path, model: ov.Model, texts: dict[str, str]) -> None:
    """Write `path` (.xml) and its .bin, with `texts` in rt_info; an .xml is only ever beside the .bin it belongs to.

    Weights are kept in fp32: halving the file by fp16 would change every answer.
    """
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=f".{path.stem}.") as folder:
        unfinished = Path(folder) / path.name
        ov.save_model(model, unfinished, compress_to_fp16=False)
        weights = unfinished.with_suffix(".bin")
        digest = hashlib.sha256(weights.read_bytes()).hexdigest()
        for name, text in {**texts, BIN_HASH: digest}.items():
            model.set_rt_info(text, [SECTION, name])
        ov.save_model(model, unfinished, compress_to_fp16=False)
        path.unlink(missing_ok=True)
        weights.replace(path.with_suffix(".bin"))
        unfinished.replace(path)

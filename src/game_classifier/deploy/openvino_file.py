"""Making OpenVINO files (.xml with its .bin), with preprocessing in the graph."""

import hashlib
import tempfile
import warnings
from pathlib import Path

import openvino as ov
import torch
from openvino import preprocess as ov_preprocess
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
    height, width = preprocessing.height, preprocessing.width
    core = core.clone()
    steps = ov_preprocess.PrePostProcessor(core)
    frames = steps.input()
    inside = resizes(core, preprocessing)
    shape = [-1, -1, -1, 3] if inside else [-1, height, width, 3]
    frames.tensor().set_element_type(ov.Type.u8).set_layout(ov.Layout("NHWC")).set_shape(ov.PartialShape(shape))
    frames.model().set_layout(ov.Layout("NCHW"))
    if inside:
        frames.preprocess().resize(ov_preprocess.ResizeAlgorithm.RESIZE_BILINEAR_PILLOW)  # antialiased, in uint8
    mean, scale = preprocessing.normalization()
    frames.preprocess().convert_element_type(ov.Type.f32).mean(mean.tolist()).scale((1 / scale).tolist())
    model = steps.build()
    model.input().get_tensor().set_names({FRAMES})
    return model


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

"""How to make a file of each format from a checkpoint, before the gate tests it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from torch import nn

from game_classifier.deploy.torchscript import save_torchscript, script
from game_classifier.device import multiplies_bf16
from game_classifier.models.fold import InBFloat16
from game_classifier.models.frame_network import answering
from game_classifier.runtime.metadata import Metadata


@dataclass(frozen=True)
class Parts:
    """The input of every format."""

    folded: nn.Module
    metadata: Metadata
    calibration: np.ndarray | None  # uint8 [M, height, width, 3], training frames for INT8

    def calibration_pixels(self) -> np.ndarray:
        """The same as the network's input, float32 [M, 3, height, width]."""
        mean, scale = self.metadata.preprocessing.normalization()
        count, height, width, channels = self.calibration.shape
        pixels = np.empty((count, channels, height, width), np.float32)
        for number, frame in enumerate(self.calibration):  # one by one: all at once would need three times the memory
            pixels[number] = ((frame - mean) * scale).transpose(2, 0, 1)
        return pixels


@dataclass(frozen=True)
class Form:
    """One file."""

    file_name: str
    step: str  # the row of the gate's table
    metadata: Metadata
    save: Callable[[Path, dict[str, str]], None]  # path, and the texts to store in the file
    precisions: tuple[str, ...] = ("auto",)  # that the gate runs it in


def torchscript(parts: Parts) -> Iterator[Form]:
    """The file for libtorch, in fp32."""
    yield _torchscript(parts, answering(parts.folded), "_cpp_deploy.pt", parts.metadata)


def torchscript_bf16(parts: Parts) -> Iterator[Form]:
    """The same with the network in bfloat16: half the size, and fast if the processor multiplies in bfloat16."""
    yield _torchscript(
        parts, answering(InBFloat16(parts.folded)), "_cpp_deploy_bf16.pt", replace(parts.metadata, precision="bf16")
    )


def _torchscript(parts: Parts, network: nn.Module, ending: str, metadata: Metadata) -> Form:
    module = script(network, metadata.preprocessing)
    return Form(
        metadata.network + ending, "TorchScript", metadata, lambda path, texts: save_torchscript(path, module, texts)
    )


def onnx(parts: Parts) -> Iterator[Form]:
    """The file for ONNX Runtime and other readers of ONNX, in fp32."""
    from game_classifier.deploy.onnx_file import export_deployed, resizes, save_onnx  # onnx takes a second to import

    model = export_deployed(answering(parts.folded), parts.metadata.preprocessing)
    yield Form(
        f"{parts.metadata.network}.onnx",
        "ONNX Runtime",
        replace(parts.metadata, resizes=resizes(parts.metadata.preprocessing)),
        lambda path, texts: save_onnx(path, model, texts),
    )


def openvino(parts: Parts) -> Iterator[Form]:
    """The file for OpenVINO on CPUs; it runs in fp32 and in bf16."""
    from game_classifier.deploy.openvino_file import add_preprocessing, convert_network, resizes, save_openvino

    preprocessing = parts.metadata.preprocessing
    core = convert_network(answering(parts.folded), preprocessing)
    model = add_preprocessing(core, preprocessing)
    yield Form(
        f"{parts.metadata.network}_openvino.xml",
        "OpenVINO",
        replace(parts.metadata, resizes=resizes(core, preprocessing)),
        lambda path, texts: save_openvino(path, model, texts),
        ("fp32", "bf16") if multiplies_bf16() else ("fp32",),
    )


def int8(parts: Parts) -> Iterator[Form]:
    """The quantized file for OpenVINO, made in several ways; the first one that passes the gate is kept."""
    from game_classifier.deploy.openvino_file import add_preprocessing, resizes, save_openvino
    from game_classifier.deploy.quantize import quantized_models

    preprocessing = parts.metadata.preprocessing
    for way, core in quantized_models(parts.folded, preprocessing, parts.calibration_pixels()):
        model = add_preprocessing(core, preprocessing)
        yield Form(
            f"{parts.metadata.network}_openvino_int8.xml",
            f"OpenVINO, {way}",
            replace(parts.metadata, resizes=resizes(core, preprocessing), precision="int8"),
            lambda path, texts, model=model: save_openvino(path, model, texts),
        )


def compiled(parts: Parts) -> Iterator[Form]:
    """Compiled by AOTInductor for machines like this one; not in `installed_formats`, because it takes long to make."""
    from game_classifier.deploy.compiled_file import compile_network, save_compiled

    archive = compile_network(answering(parts.folded), parts.metadata.preprocessing)
    yield Form(
        f"{parts.metadata.network}.pt2",
        "AOTInductor",
        replace(parts.metadata, resizes=False),
        lambda path, texts: save_compiled(path, archive, texts),
    )


FORMATS: dict[str, Callable[[Parts], Iterator[Form]]] = {
    "pt": torchscript,
    "bf16": torchscript_bf16,
    "onnx": onnx,
    "openvino": openvino,
    "int8": int8,
    "pt2": compiled,
}


def installed_formats() -> list[str]:
    """All formats except the compiled one and those whose optional library is missing."""
    from game_classifier.deploy.quantize import is_available

    return [name for name in FORMATS if name != "pt2" and (name != "int8" or is_available())]

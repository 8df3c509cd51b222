"""Running OpenVINO files (.xml with its .bin) on the CPU."""

import hashlib
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import openvino as ov

from game_classifier.errors import InputError
from game_classifier.runtime.metadata import META_FILE, Metadata, read_metadata
from game_classifier.runtime.outputs import Answers, join_outputs

SECTION = "game_classifier"  # of rt_info
BIN_HASH = "bin_sha256"  # of the weights: with another conversion's .bin the .xml would load and answer nonsense
HINTS = {"fp32": "f32", "bf16": "bf16"}
PRECISIONS = {"f32": "fp32", "bf16": "bf16", "i8": "int8", "u8": "int8", "f16": "fp16"}

# OpenVINO fills its table of types at the first use. Two threads that are the first together wait for each other for
# ever. Only one thread runs an import, whoever calls the functions below.
ov.Type.u8.to_dtype()


def compile_openvino(
    model: ov.Model, precision: str, threads: int, streams: int = 1, batch_size: int = -1
) -> ov.CompiledModel:
    """Compile for the CPU, for `streams` requests at a time that share `threads`, and for batches of one size or any.

    `precision` is fp32 or bf16; a quantized model uses it for the layers that are not quantized.
    """
    model = model.clone()
    model.reshape([batch_size, *list(model.input().get_partial_shape())[1:]])
    _leave_out_resizing(model)
    properties = {
        # Unasked, OpenVINO takes bf16 where the processor has it.
        "INFERENCE_PRECISION_HINT": HINTS[precision],
        "INFERENCE_NUM_THREADS": threads,
        "NUM_STREAMS": streams,
        "ENABLE_CPU_PINNING": False,  # pinned, two processes would fight for the same cores
    }
    return ov.Core().compile_model(model, "CPU", properties)


def _leave_out_resizing(model: ov.Model) -> None:
    """Take out the step that resizes frames to the size that they have already: it would copy them."""
    for node in model.get_ops():
        if node.get_type_name() == "Interpolate" and node.input_value(0).partial_shape == node.output(0).partial_shape:
            node.output(0).replace(node.input_value(0))


def requests(compiled: ov.CompiledModel, count: int, copies: bool = False) -> list[Callable[[np.ndarray], Answers]]:
    """`count` callables, uint8 frames [N, H, W, 3] -> answers [N, ...], that may run at the same time.

    Without `copies`, each call of one writes over the answers of its last call.
    """

    def answering() -> Callable[[np.ndarray], Answers]:
        request = compiled.create_infer_request()

        def infer(frames: np.ndarray) -> Answers:
            outputs = request.infer({0: np.ascontiguousarray(frames)}, share_inputs=True, share_outputs=not copies)
            return join_outputs([outputs[number] for number in range(len(outputs))])

        return infer

    return [answering() for _ in range(count)]


def read_openvino(path: Path) -> tuple[ov.Model, Metadata]:
    """The model in the network's own size, whose shapes are known, with its metadata; InputError as above."""
    weights = path.with_suffix(".bin")
    if not weights.is_file():
        raise InputError(f"{weights}: no such file; {path.name} needs its weights beside it; copy both files")
    try:
        model = ov.Core().read_model(path, weights)
    except Exception as error:  # openvino raises RuntimeError, and others for what it cannot parse
        reason = next((line for line in reversed(str(error).strip().splitlines()) if line.strip()), "")[:120]
        raise InputError(
            f"{path}: not an OpenVINO file, or a damaged one ({reason}); convert the checkpoint again"
        ) from None
    texts = {name: _rt_text(model, name) for name in (META_FILE, BIN_HASH)}
    metadata = read_metadata(path, texts[META_FILE])
    if hashlib.sha256(weights.read_bytes()).hexdigest() != texts[BIN_HASH]:
        raise InputError(
            f"{weights}: not the weights that {path.name} was written with; copy both files of one conversion"
        )
    model.reshape([-1, metadata.preprocessing.height, metadata.preprocessing.width, 3])
    return model, metadata


def _rt_text(model: ov.Model, name: str) -> str | None:
    keys = [SECTION, name]
    return model.get_rt_info(keys).astype(str) if model.has_rt_info(keys) else None


def running_precision(compiled: ov.CompiledModel) -> str:
    """The precision in which most convolutions and products of the compiled graph run."""
    counted: Counter[str] = Counter()
    for node in compiled.get_runtime_model().get_ops():
        info = node.get_rt_info()
        if info["layerType"].astype(str) in ("Convolution", "FullyConnected"):
            counted[info["runtimePrecision"].astype(str)] += 1
    name = counted.most_common(1)[0][0] if counted else "f32"
    return PRECISIONS.get(name, name)

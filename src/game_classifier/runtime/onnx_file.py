"""Running ONNX files with ONNX Runtime on the CPU."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnxruntime

from game_classifier.errors import InputError
from game_classifier.runtime.metadata import META_FILE, Metadata, read_metadata
from game_classifier.runtime.outputs import Answers, join_outputs

FRAMES = "frames"  # the name of the input


def load_onnx(path: Path, threads: int) -> tuple[Callable[[np.ndarray], Answers], Metadata]:
    """Read a file for the CPU; raises InputError for a file of another tool or another format version."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    try:
        session = onnxruntime.InferenceSession(path.read_bytes(), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's exceptions have no base class of their own
        reason = next(iter(str(error).strip().splitlines()), "")[:120]
        raise InputError(
            f"{path}: not an ONNX file, or a damaged one ({reason}); convert the checkpoint again"
        ) from None
    metadata = read_metadata(path, session.get_modelmeta().custom_metadata_map.get(META_FILE))
    return lambda frames: join_outputs(session.run(None, {FRAMES: frames})), metadata

"""Converting a checkpoint: fold, make each file, and let the gate judge it before it takes its place."""

import copy
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from game_classifier.config import GateConfig
from game_classifier.console import progress
from game_classifier.deploy.forms import FORMATS, Form, Parts
from game_classifier.deploy.gate import Gate, GateFrames
from game_classifier.errors import InputError
from game_classifier.frames.decode import Preprocessing, read_whole_frame, resize_frame
from game_classifier.models.checkpoint import Checkpoint
from game_classifier.models.fold import fold, fold_float64
from game_classifier.models.frame_network import FrameNetwork, answering, frame_network
from game_classifier.models.zoo import parameter_count
from game_classifier.runtime.metadata import Metadata, Row
from game_classifier.runtime.runner import Infer, Runner, load_runner
from game_classifier.storage import make_folder, write_json
from game_classifier.tasks.choose import task_of

# Of outputs in float64, relative to the largest: rounding stays far below, a branch folded wrongly is far above.
FOLD_TOLERANCE = 1e-9
FOLD_FRAMES = 8
CONVERSION_FILE = "conversion.json"
DEFAULT_LIMITS = GateConfig()


@dataclass(frozen=True)
class Conversion:
    """The files of a conversion and its measurements."""

    files: tuple[Path, ...]
    rows: tuple[Row, ...]
    parameters_trained: int
    parameters_deployed: int
    fold_difference: float  # of the network's outputs in float64, relative to the largest


def convert(
    checkpoint: Checkpoint,
    folder: Path,
    frames: GateFrames,
    *,
    formats: Sequence[str] = ("pt",),
    calibration: np.ndarray | None = None,
    limits: GateConfig = DEFAULT_LIMITS,
    recorded: float | None = None,
) -> Conversion:
    """Write the files of `formats` (keys of FORMATS) into `folder`, and conversion.json with the gate's table.

    Each form of the network must answer for `frames` as the trained one does, within `limits`. `calibration` holds the
    frames (uint8 [M, height, width, 3]) that INT8 is calibrated with. `recorded` is the score that the trained network
    must reach on `frames`, give or take chance.
    Raises InputError when a form misses a limit: its file is not written, the files of the other formats are, and files
    of earlier conversions stay unchanged. If the trained or the folded network misses one, no format is tried.
    """
    make_folder(folder)
    task = task_of(checkpoint.network)
    trained = checkpoint.build()
    folded = fold(trained)
    fold_difference = _fold_difference(trained, checkpoint.preprocessing, frames.frames[:FOLD_FRAMES])
    gate = Gate(task, checkpoint, frames, _infer(trained, checkpoint.preprocessing), limits)
    trained_row = gate.trained if recorded is None else gate.beside_record(recorded)
    folded_row = gate.measure("folded", "fp32", _infer(folded, checkpoint.preprocessing))
    if not fold_difference <= FOLD_TOLERANCE:
        complaint = (
            f"in float64, outputs differ by {fold_difference:.1e} of the largest, more than {FOLD_TOLERANCE:.0e}"
        )
        folded_row = replace(folded_row, complaint=complaint)
    rows = [trained_row, folded_row]
    missed = [row for row in rows if row.complaint][:1]

    metadata = Metadata.of_checkpoint(checkpoint, task.output)
    parts = Parts(folded, metadata, calibration)
    passed: list[Form] = []
    with tempfile.TemporaryDirectory(dir=folder, prefix=".converting-") as unjudged:
        for name in progress(() if missed else formats, desc="convert", unit="format", leave=False):
            form, measured = _first_that_passes(FORMATS[name](parts), gate, Path(unjudged))
            rows += measured
            if measured[-1].complaint:
                missed.append(measured[-1])
            else:
                passed.append(form)
    for form in passed:
        form.save(folder / form.file_name, form.metadata.with_rows(rows).texts())
    files = tuple(folder / form.file_name for form in passed)
    complaint = "; ".join(f"{row.step} in {row.precision}: {row.complaint}" for row in missed)
    _write_conversion(folder / CONVERSION_FILE, metadata, gate, rows, files, complaint)
    if missed:
        raise InputError(
            f"{complaint}; no file was written for a step that failed; {folder / CONVERSION_FILE} lists all steps"
        )
    return Conversion(files, tuple(rows), parameter_count(trained), parameter_count(folded), fold_difference)


def _first_that_passes(forms: Iterator[Form], gate: Gate, folder: Path) -> tuple[Form, list[Row]]:
    """Try the ways to make a format until one passes; returns the last one tried, and the rows of all."""
    rows: list[Row] = []
    for form in forms:
        path = folder / form.file_name
        form.save(path, form.metadata.texts())
        megabytes = sum(file.stat().st_size for file in folder.glob(f"{path.stem}.*")) / 1e6
        for precision in form.precisions:
            classifier = load_runner(path, "cpu", precision)
            rows.append(
                gate.measure(
                    form.step,
                    classifier.precision,
                    classifier.infer,
                    class_names=classifier.class_names,
                    expected_precision=form.metadata.precision if precision == "auto" else precision,
                    megabytes=megabytes,
                )
            )
            if rows[-1].complaint:
                break
        if not rows[-1].complaint:
            break
    if path.suffix == ".pt" and classifier.precision == "fp32" and not rows[-1].complaint:
        rows += _whole_frame_rows(gate, classifier)
    return form, rows


def _whole_frame_rows(gate: Gate, classifier: Runner) -> list[Row]:
    """Compare whole frames resized inside the file, as a service uses it, with whole frames resized here."""
    if not gate.frames.paths:
        return []
    size, comparison, targets = classifier.preprocessing, gate.comparison, gate.frames.targets
    seconds = 0.0

    def inside(path: str) -> Any:
        nonlocal seconds
        whole = read_whole_frame(path)[None]
        start = time.perf_counter()
        answers = classifier.infer(whole)
        seconds += time.perf_counter() - start
        return comparison.on_network(answers, *whole.shape[1:3])

    resized = comparison.collect(map(inside, gate.frames.paths), targets)
    expected = comparison.collect(
        (classifier.infer(resize_frame(read_whole_frame(path), size)[None]) for path in gate.frames.paths), targets
    )
    ms = 1000 * seconds / len(gate.frames.paths)
    rows = [gate.compare("whole frames, resized inside", "fp32", resized, expected, ms, judged=True)]
    if not rows[0].complaint:
        # Python decodes at a reduced scale. This row shows the difference that makes; it is not a fault of the file.
        rows.append(gate.compare("whole frames against reduced", "fp32", resized, gate.expected, ms, judged=False))
    return rows


def _infer(network: nn.Module, preprocessing: Preprocessing) -> Infer:
    return frame_network(answering(network), preprocessing).eval().infer


def _fold_difference(trained: nn.Module, preprocessing: Preprocessing, frames: np.ndarray) -> float:
    """Largest difference of the folded network's outputs in float64, relative to the largest output."""
    with torch.inference_mode():
        pixels = FrameNetwork(nn.Identity(), preprocessing).pixels(torch.from_numpy(frames)).double()
        outputs = _joined(copy.deepcopy(trained).double()(pixels))
        difference = (_joined(fold_float64(trained)(pixels)) - outputs).abs().max()
        return (difference / outputs.abs().max().clamp(min=1.0)).item()


def _joined(outputs: Tensor | list[Tensor]) -> Tensor:
    """All outputs of a network as one vector; a detector has one for each level."""
    return torch.cat([each.flatten() for each in (outputs if isinstance(outputs, list) else [outputs])])


def _write_conversion(
    path: Path,
    metadata: Metadata,
    gate: Gate,
    rows: Sequence[Row],
    files: Sequence[Path],
    complaint: str,
) -> None:
    values = {
        "network": metadata.network,
        "weights_sha256": metadata.weights_sha256,
        "frames": len(gate.frames.frames),
        "labelled": int(gate.task.has_target(gate.frames.targets).sum()),
        "thresholds": gate.limits.model_dump(exclude={"frames", "calibration_frames"}),
        "rows": [row.to_dict() for row in rows],
        "files": [file.name for file in files],
        "complaint": complaint,
    }
    write_json(path, values)

"""The Python interface, for notebooks and services: load a network, classify frames, read predictions."""

import json
import threading
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import torch

from game_classifier.errors import InputError
from game_classifier.frames.decode import FrameError, FrameStatus, Preprocessing, read_frame, resize_frames
from game_classifier.runtime.runner import Runner, load_runner

__all__ = ["Answer", "Classifier", "InputError", "Predictions", "load", "read_predictions"]

BATCH_SIZE = 32


@dataclass(frozen=True)
class Answer:
    """A classifier's answer for one frame. If the frame could not be read, only `error` is set.

    A refused frame shows none of the classes; `class_name` is the likeliest one all the same.
    """

    class_name: str | None  # the likeliest class
    probability: float  # its probability, 0..1; NaN where the frame could not be read
    probabilities: np.ndarray | None  # float32 [C], in the order of `Classifier.class_names`
    error: str = ""  # why the frame could not be read, such as "missing" or "truncated"
    known: float = float("nan")  # probability that the frame shows one of the classes; NaN if the network gives none
    refused: bool = False  # whether `known` lies below `Classifier.refuse_below`


class Classifier:
    """A trained network that tells the game on a frame. `load` makes one; calls from several threads are safe."""

    def __init__(self, runner: Runner, refuse: float | None = None) -> None:
        """`refuse` as for `load`."""
        self._runner = runner
        self._refuse_below = None if runner.refusals is None else runner.refusals.threshold(refuse)
        self._lock = threading.Lock()  # a compiled network answers one caller at a time

    @property
    def class_names(self) -> tuple[str, ...]:
        """The classes, in the order of the probabilities."""
        return self._runner.class_names

    @property
    def preprocessing(self) -> Preprocessing:
        """Size, way of resizing, mean and deviation of the network's input."""
        return self._runner.preprocessing

    @property
    def precision(self) -> str:
        """The precision that the network really runs in: fp32, bf16 or int8."""
        return self._runner.precision

    @property
    def refuse_below(self) -> float | None:
        """The `known` below which a frame is refused; None if the network does not give that score."""
        return self._refuse_below

    def __repr__(self) -> str:
        return f"<Classifier of {len(self.class_names)} classes, {self._runner}>"

    def classify(self, frames: np.ndarray) -> np.ndarray:
        """Probabilities float32 [N, C] of frames uint8 RGB [N, H, W, 3] of any one size.

        The frames are resized as in training. OpenCV's frames are BGR: give `frame[:, :, ::-1]`. Raises InputError
        for arrays of another shape or type.
        """
        return self.answer(frames)[0]

    def answer(self, frames: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
        """(Probabilities, `known` float32 [N]) of frames as for `classify`.

        `known` is the probability that a frame shows one of the classes at all, or None where the network gives none.
        """
        frames = np.asarray(frames)
        if frames.dtype != np.uint8 or frames.ndim != 4 or frames.shape[3] != 3 or 0 in frames.shape[1:]:
            raise InputError(
                f"frames of shape {list(frames.shape)} and type {frames.dtype}: give uint8 RGB of shape [N, H, W, 3];"
                " frame[None] makes a batch of one"
            )
        parts = [self._infer(self._resized(frames[i : i + BATCH_SIZE])) for i in range(0, len(frames), BATCH_SIZE)]
        none = np.zeros((0, len(self.class_names)), np.float32)
        probabilities = np.concatenate([none, *(each for each, _ in parts)])
        if self._refuse_below is None:
            return probabilities, None
        return probabilities, np.concatenate([none[:, 0], *(known for _, known in parts)])

    def classify_files(self, paths: Iterable[str | PathLike[str]]) -> Iterator[Answer]:
        """An Answer for each image file, in order. A file that cannot be read has its reason in `error`.

        Files are read in batches while the answers are taken, so `paths` may be endless. Raises InputError for a
        single path, whose letters would be taken for paths.
        """
        if isinstance(paths, str | PathLike):
            raise InputError(f"{paths}: a single path; give a list of paths, such as [{str(paths)!r}]")
        return self._in_batches(map(self._read, paths))

    def classify_frames(self, frames: Iterable[np.ndarray]) -> Iterator[Answer]:
        """An Answer for each frame, uint8 RGB [H, W, 3] of any sizes, in order.

        Frames are taken in batches of 32 while the answers are taken, so `frames` may be endless. A live source that
        wants each answer at once calls `classify(frame[None])`. Raises InputError for another shape or type.
        """
        return self._in_batches(map(self._one, frames))

    def _infer(self, frames: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
        with self._lock:
            return self._runner.answer(frames)

    def _in_batches(self, frames: Iterator[np.ndarray | FrameStatus]) -> Iterator[Answer]:
        return chain.from_iterable(map(self._answer, _batches(frames)))

    def _answer(self, batch: Sequence[np.ndarray | FrameStatus]) -> Iterator[Answer]:
        readable = [frame for frame in batch if isinstance(frame, np.ndarray)]
        probabilities, known = self._infer(np.stack(readable)) if readable else ((), None)
        scores = np.full(len(readable), np.nan) if known is None else known
        answers = iter(zip(probabilities, scores, strict=True))
        for frame in batch:
            if isinstance(frame, np.ndarray):
                values, score = next(answers)
                best = int(values.argmax())
                refused = self._refuse_below is not None and bool(score < self._refuse_below)
                yield Answer(self.class_names[best], float(values[best]), values, known=float(score), refused=refused)
            else:
                yield Answer(None, float("nan"), None, frame.name.lower())

    def _read(self, path: str | PathLike[str]) -> np.ndarray | FrameStatus:
        try:
            return read_frame(Path(path), self.preprocessing)
        except FrameError as error:
            return error.status

    def _one(self, frame: np.ndarray) -> np.ndarray:
        frame = np.asarray(frame)
        if frame.dtype != np.uint8 or frame.ndim != 3 or frame.shape[2] != 3 or 0 in frame.shape:
            raise InputError(
                f"a frame of shape {list(frame.shape)} and type {frame.dtype}: give uint8 RGB of shape [H, W, 3]"
            )
        return self._resized(frame[None])[0]

    def _resized(self, frames: np.ndarray) -> np.ndarray:
        size = self.preprocessing
        pixels = torch.from_numpy(np.require(frames, requirements=["C", "W"])).permute(0, 3, 1, 2)
        resized = resize_frames(pixels, size.height, size.width, size.resize)
        return np.ascontiguousarray(resized.permute(0, 2, 3, 1).numpy())


def _batches(frames: Iterator[np.ndarray | FrameStatus]) -> Iterator[list[np.ndarray | FrameStatus]]:
    while batch := list(islice(frames, BATCH_SIZE)):
        yield batch


@dataclass(frozen=True)
class Predictions:
    """A finished list of src/predict_repvgg.py: row i is line i of the list."""

    rows: np.ndarray  # structured and mapped, not loaded; docs/formats.md describes the fields
    manifest: dict[str, Any]  # what the rows were made from
    boxes: np.ndarray | None = None  # of a detector: those of all rows, likewise

    def boxes_of(self, row: int) -> np.ndarray:
        """The boxes of a row of a detector's predictions, the best first."""
        first = self.rows["first"][row]
        return self.boxes[first : first + self.rows["count"][row]]

    @property
    def class_names(self) -> tuple[str, ...]:
        """The classes, in the order of `rows["probs"]`."""
        return tuple(self.manifest["class_names"])


def load(
    path: str | PathLike[str],
    device: str = "auto",
    precision: str = "auto",
    threads: int | None = None,
    refuse: float | None = None,
) -> Classifier:
    """Load a deployed file (.pt, .onnx, .xml, .pt2) or a checkpoint (.pth).

    `device` is auto, cpu or cuda. `precision` is fp32, bf16 or auto; auto is the file's own precision, and bf16 for
    OpenVINO files that passed their conversion in it if the CPU multiplies in bf16. `threads` is the number of threads
    of ONNX and OpenVINO files, by default one for each processor; the others use torch's own number. `refuse` is the
    share of frames of the classes that may be refused, 0 to 0.5, by default the recipe's. Raises InputError with one
    line that names the remedy.
    """
    runner = load_runner(Path(path), device, precision, threads).require_classifier()
    if refuse is not None and runner.refusals is None:
        raise InputError(
            f"{path}: its network does not give the `known` score, so it can refuse no frame; leave refuse out, or add"
            " the score with tool/fit_known.py"
        )
    return Classifier(runner, refuse)


def read_predictions(path: str | PathLike[str]) -> Predictions:
    """Read `LIST.npy`, a detector's `LIST.boxes.npy` and their manifest `LIST.json`.

    Raises InputError if one is missing or they do not fit.
    """
    array, manifest = Path(path), Path(path).with_suffix(".json")
    for each in (array, manifest):
        if not each.is_file():
            raise InputError(f"{each}: no such file; src/predict_repvgg.py writes LIST.npy and LIST.json")
    boxes = None
    try:
        rows = np.load(array, mmap_mode="r", allow_pickle=False)
        values = json.loads(manifest.read_text(encoding="utf-8"))
        whole = len(rows) == values["rows"] and "class_names" in values
        if "boxes_sha256" in values:
            boxes = np.load(array.with_suffix(".boxes.npy"), mmap_mode="r", allow_pickle=False)
            whole = whole and len(boxes) == rows["count"].sum(dtype=np.int64)
    except FileNotFoundError as error:
        raise InputError(f"{error.filename}: no such file; predict the list again") from None
    except (ValueError, KeyError, TypeError, EOFError):
        whole = False
    if not whole:
        raise InputError(f"{array}: does not fit its manifest {manifest.name}; predict the list again")
    return Predictions(rows, values, boxes)

"""The samples of a video, on the disk while it is read: memory does not grow with its length."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from game_classifier.frames.decode import FrameStatus
from game_classifier.timeline.answers import Sample
from game_classifier.timeline.contract import REGION, row_type
from game_classifier.timeline.hmm import UNKNOWN


class SampleFile:
    """Rows of timeline.npy, in a file without a name that is gone when it is closed."""

    def __init__(self, folder: Path, classes: int, regions: bool) -> None:
        self.type = row_type(classes, regions)
        self.classes = classes
        self.count = 0
        self.file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 - open_samples closes it

    def add(self, sample: Sample, state: int | None = None, confidence: float = 0.0) -> None:
        """Append a sample. `state`: a column of the emissions, or None if it is not known yet, or was not read."""
        row = np.zeros(1, self.type)
        row["time"], row["status"], row["confidence"] = sample.time, sample.status, confidence
        row["pred"], row["known"], row["state"] = -1, np.nan, UNKNOWN if state in (None, self.classes) else state
        if sample.probabilities is not None:
            row["probs"] = sample.probabilities
            row["pred"], row["score"] = sample.probabilities.argmax(), sample.probabilities.max()
            row["known"] = np.nan if sample.known is None else sample.known
        for name, value in zip(REGION, sample.region or (), strict=False):
            row[name] = value
        self.file.write(row.tobytes())
        self.count += 1

    def rows(self) -> np.ndarray:
        """All rows so far, mapped from the file: what is changed in them is changed there."""
        self.file.flush()
        return np.memmap(self.file, self.type, "r+", shape=(self.count,)) if self.count else np.zeros(0, self.type)

    def set_states(self, states: np.ndarray, confidences: np.ndarray) -> None:
        """The states of the samples that were read, as columns of the emissions, and their probabilities."""
        rows = self.rows()
        read = rows["status"] == FrameStatus.OK
        rows["state"][read] = np.where(states == self.classes, UNKNOWN, states)
        rows["confidence"][read] = confidences


@contextmanager
def open_samples(folder: Path, classes: int, regions: bool) -> Iterator[SampleFile]:
    """A new file in `folder`; an OSError, as of a full disk, names timeline.npy. Arguments as of `row_type`."""
    samples = SampleFile(folder, classes, regions)
    try:
        with samples.file:
            yield samples
    except OSError as error:
        error.filename = error.filename or str(folder / "timeline.npy")
        raise

"""The gate: each form of a network must answer on real frames as the trained network does."""

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from game_classifier.config import GateConfig
from game_classifier.console import table
from game_classifier.runtime.metadata import Row
from game_classifier.tasks.task import Task

Infer = Callable[[np.ndarray], np.ndarray]  # uint8 [N, H, W, 3] -> answers [N, ...]

BATCH = 32
TIMED_BATCHES = 5


@dataclass(frozen=True)
class GateFrames:
    """The frames that every form answers for."""

    frames: np.ndarray  # uint8 [N, height, width, 3], decoded and resized as for the network
    targets: np.ndarray  # [N], of the task
    paths: tuple[str, ...] = ()  # of the same frames, to read them whole; () leaves that step out


class Gate:
    """Measures forms of one network on the same frames, and judges them by the task's comparison.

    `refuse_below` is the threshold of `known` at the default rate, if the network gives that score.
    """

    def __init__(
        self,
        task: Task,
        frames: GateFrames,
        class_names: Sequence[str],
        trained: Infer,
        limits: GateConfig,
        refuse_below: float | None = None,
    ) -> None:
        self.task = task
        self.comparison = task.comparison if refuse_below is None else task.comparison.refusing_below(refuse_below)
        self.frames = frames
        self.class_names = tuple(class_names)
        self.limits = limits
        self.expected = in_batches(trained, frames.frames)
        ms = milliseconds(trained, frames.frames)
        self.trained = Row("trained", "fp32", self._figures(self.expected, self.expected), None, ms)

    def beside_record(self, recorded: float) -> Row:
        """The trained network's row, with a complaint when it scores clearly less than its checkpoint says."""
        complaint = self.comparison.complaint_beside_record(self.trained.figures, recorded, self.frames.targets)
        return replace(self.trained, complaint=complaint)

    def measure(
        self,
        step: str,
        precision: str,
        infer: Infer,
        *,
        class_names: Sequence[str] | None = None,
        expected_precision: str | None = None,
        megabytes: float | None = None,
    ) -> Row:
        """Run a form over the frames; if class names and precision are given, the form's own must agree."""
        figures = self._figures(in_batches(infer, self.frames.frames), self.expected)
        complaint = self._complaint(figures, precision)
        if expected_precision not in (None, precision):
            complaint = f"it runs in {precision}, not in {expected_precision}"
        if class_names is not None and tuple(class_names) != self.class_names:
            complaint = "its class names, or their order, differ from the checkpoint's"
        return Row(step, precision, figures, megabytes, milliseconds(infer, self.frames.frames), complaint)

    def compare(
        self, step: str, precision: str, answers: np.ndarray, expected: np.ndarray, ms: float, *, judged: bool
    ) -> Row:
        """A row for answers [N, ...] that the caller computed, compared with `expected` answers of the caller."""
        figures = self._figures(answers, expected)
        return Row(step, precision, figures, None, ms, self._complaint(figures, precision) if judged else "")

    def _figures(self, answers: np.ndarray, expected: np.ndarray) -> dict[str, float | None]:
        return self.comparison.figures(answers, expected, self.frames.targets)

    def _complaint(self, figures: dict[str, float | None], precision: str) -> str:
        return self.comparison.complaint(figures, self.trained.figures, precision, self.limits, self.frames.targets)


def gate_table(task: Task, rows: Sequence[Row]) -> str:
    """The rows for the terminal."""
    shown = [
        {
            "Step": row.step,
            "Precision": row.precision,
            **task.comparison.cells(row.figures),
            "MB": "" if row.megabytes is None else f"{row.megabytes:.1f}",
            "ms/Frame": f"{row.ms:.2f}",
            "": "missed" if row.complaint else "",
        }
        for row in rows
    ]
    cells = [list(row.values()) for row in shown]
    return table("Conversion, compared with the trained network", list(shown[0]), cells, first_number=2)


def in_batches(infer: Infer, frames: np.ndarray) -> np.ndarray:
    """Answers [N, ...], computed in batches as in use."""
    return np.concatenate([infer(frames[start : start + BATCH]) for start in range(0, len(frames), BATCH)])


def milliseconds(infer: Infer, frames: np.ndarray) -> float:
    """Median time of a frame in batches of 32, or fewer if there are fewer frames."""
    batch = frames[:BATCH]
    infer(batch)  # the first run plans
    times = []
    for _ in range(TIMED_BATCHES):
        start = time.perf_counter()
        infer(batch)
        times.append(time.perf_counter() - start)
    return 1000 * statistics.median(times) / len(batch)

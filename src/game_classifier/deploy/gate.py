"""The gate: each form of a network must answer on real frames as the trained network does."""

import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from game_classifier.config import GateConfig
from game_classifier.console import table
from game_classifier.models.checkpoint import Checkpoint
from game_classifier.runtime.metadata import Row
from game_classifier.runtime.runner import Infer
from game_classifier.tasks.task import Task

BATCH = 32
TIMED_BATCHES = 5


@dataclass(frozen=True)
class GateFrames:
    """The frames that every form answers for."""

    frames: np.ndarray  # uint8 [N, height, width, 3], decoded and resized as for the network
    targets: Any  # of the task, N
    paths: tuple[str, ...] = ()  # of the same frames, to read them whole; () leaves that step out


class Gate:
    """Measures forms of a checkpoint's network on the same frames, and judges them by the task's comparison."""

    def __init__(
        self, task: Task, checkpoint: Checkpoint, frames: GateFrames, trained: Infer, limits: GateConfig
    ) -> None:
        self.task = task
        self.comparison = task.comparison.of_checkpoint(checkpoint)
        self.frames = frames
        self.class_names = checkpoint.class_names
        self.limits = limits
        self.expected = self.answers(trained)
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
        figures = self._figures(self.answers(infer), self.expected)
        complaint = self._complaint(figures, precision)
        if expected_precision not in (None, precision):
            complaint = f"it runs in {precision}, not in {expected_precision}"
        if class_names is not None and tuple(class_names) != self.class_names:
            complaint = "its class names, or their order, differ from the checkpoint's"
        return Row(step, precision, figures, megabytes, milliseconds(infer, self.frames.frames), complaint)

    def answers(self, infer: Infer) -> Any:
        """The collected answers for all frames, computed in batches as in use."""
        frames = self.frames.frames
        batches = (infer(frames[start : start + BATCH]) for start in range(0, len(frames), BATCH))
        return self.comparison.collect(batches, self.frames.targets)

    def compare(self, step: str, precision: str, answers: Any, expected: Any, ms: float, *, judged: bool) -> Row:
        """A row for answers that the caller computed and collected, compared with `expected` ones of the caller."""
        figures = self._figures(answers, expected)
        return Row(step, precision, figures, None, ms, self._complaint(figures, precision) if judged else "")

    def _figures(self, answers: Any, expected: Any) -> dict[str, float | None]:
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

"""The gate: each form of a network must answer on real frames as the trained network does."""

import math
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from game_classifier.console import percent, table
from game_classifier.lists.filelist import UNLABELLED
from game_classifier.runtime.metadata import Row
from game_classifier.scoring.metrics import Scores

Infer = Callable[[np.ndarray], np.ndarray]  # uint8 [N, H, W, 3] -> probabilities [N, C]

BATCH = 32
TIMED_BATCHES = 5
CHANCE_DEVIATIONS = 4  # of a recorded top-1 measured on fewer frames
LEAST_VARIANCE = 0.01  # of one frame's hit: a recorded 100% does not forbid a miss


@dataclass(frozen=True)
class Thresholds:
    """What a form may differ from the trained network; each key of the recipe's `gate` part."""

    fp32_difference: float = 1e-4  # largest difference of any probability, for forms that multiply in fp32
    bf16_agreement: float = 0.98  # least share of frames with the same likeliest class
    int8_agreement: float = 0.98
    top1_drop: float = 0.005  # most that top-1 on labelled frames may fall, for bf16 and int8


@dataclass(frozen=True)
class GateFrames:
    """The frames that every form classifies."""

    frames: np.ndarray  # uint8 [N, height, width, 3], decoded and resized as for the network
    labels: np.ndarray  # int [N], UNLABELLED where the class is not known
    paths: tuple[str, ...] = ()  # of the same frames, to read them whole; () leaves that step out


class Gate:
    """Measures forms of one network on the same frames, and judges them."""

    def __init__(self, frames: GateFrames, class_names: Sequence[str], trained: Infer, thresholds: Thresholds) -> None:
        self.frames = frames
        self.class_names = tuple(class_names)
        self.thresholds = thresholds
        self.expected = in_batches(trained, frames.frames)
        self.trained = self._row("trained", "fp32", self.expected, self.expected, None, trained)

    def beside_record(self, top1: float) -> Row:
        """The trained network's row, with a complaint when it scores clearly less than its checkpoint says.

        Four standard deviations of so small a sample are chance. What is beyond them has another
        preprocessing, another class order or other weights than the network that was validated.
        """
        labelled = int((self.frames.labels != UNLABELLED).sum())
        if not labelled:
            return self.trained
        chance = CHANCE_DEVIATIONS * math.sqrt(max(top1 * (1 - top1), LEAST_VARIANCE) / labelled)
        if self.trained.top1 >= top1 - chance:
            return self.trained
        complaint = (
            f"top-1 on {labelled} frames is {100 * self.trained.top1:.2f}%, and its checkpoint says"
            f" {100 * top1:.2f}% on its validation list"
        )
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
        """Run a form over the frames; its class names and precision, where given, must be those expected."""
        answers = in_batches(infer, self.frames.frames)
        row = self._row(step, precision, answers, self.expected, megabytes, infer)
        return self._judged(row, class_names, expected_precision)

    def compare(
        self, step: str, precision: str, answers: np.ndarray, expected: np.ndarray, ms: float, *, judged: bool
    ) -> Row:
        """A row of answers float [N, C] that were made elsewhere, beside others than the trained network's."""
        row = self._row(step, precision, answers, expected, None, None, ms)
        return self._judged(row) if judged else row

    def _row(
        self,
        step: str,
        precision: str,
        answers: np.ndarray,
        expected: np.ndarray,
        megabytes: float | None,
        infer: Infer | None,
        ms: float = 0.0,
    ) -> Row:
        differences = np.abs(answers.astype(np.float64) - expected)
        labelled = self.frames.labels != UNLABELLED
        scores = Scores(answers.shape[1])
        scores.add(answers[labelled], self.frames.labels[labelled])
        return Row(
            step,
            precision,
            float(differences.max()),
            float(differences.mean()),
            float((answers.argmax(axis=1) == expected.argmax(axis=1)).mean()),
            scores.summary().top1 if labelled.any() else None,
            megabytes,
            milliseconds(infer, self.frames.frames) if infer else ms,
        )

    def _judged(self, row: Row, class_names: Sequence[str] | None = None, expected_precision: str | None = None) -> Row:
        complaint = self._complaint(row)
        if expected_precision not in (None, row.precision):
            complaint = f"it runs in {row.precision}, not in {expected_precision}"
        if class_names is not None and tuple(class_names) != self.class_names:
            complaint = "its class names are not the checkpoint's, or in another order"
        return replace(row, complaint=complaint)

    def _complaint(self, row: Row) -> str:
        limits = self.thresholds
        # Each comparison is written so that NaN misses it.
        if row.precision == "fp32":
            if row.difference_max <= limits.fp32_difference:
                return ""
            return (
                f"a probability differs by {row.difference_max:.1e}, more than gate.fp32_difference"
                f" {limits.fp32_difference:.0e}"
            )
        # A single frame of a small set is chance.
        name = f"{row.precision}_agreement"
        least = getattr(limits, name)
        differing = round((1 - row.agreement) * len(self.frames.frames))
        if not (differing <= max((1 - least) * len(self.frames.frames), 1) and np.isfinite(row.difference_max)):
            return (
                f"the likeliest class is the same on {100 * row.agreement:.2f}% of the frames, less than"
                f" gate.{name} {least}"
            )
        labelled = int((self.frames.labels != UNLABELLED).sum())
        if labelled and not (self.trained.top1 - row.top1) * labelled <= max(limits.top1_drop * labelled, 1):
            return (
                f"top-1 falls from {100 * self.trained.top1:.2f}% to {100 * row.top1:.2f}%, by more than gate.top1_drop"
                f" {limits.top1_drop}"
            )
        return ""


def gate_table(rows: Sequence[Row]) -> str:
    """The rows for the terminal."""
    header = ["Step", "Precision", "Largest Difference", "Mean Difference", "Agreement", "Top-1", "MB", "ms/Frame", ""]
    shown = [
        [
            row.step,
            row.precision,
            f"{row.difference_max:.1e}",
            f"{row.difference_mean:.1e}",
            percent(row.agreement),
            "" if row.top1 is None else percent(row.top1),
            "" if row.megabytes is None else f"{row.megabytes:.1f}",
            f"{row.ms:.2f}",
            "missed" if row.complaint else "",
        ]
        for row in rows
    ]
    return table("Conversion, beside the trained network", header, shown, first_number=2)


def in_batches(infer: Infer, frames: np.ndarray) -> np.ndarray:
    """Probabilities float32 [N, C], by batches as in use."""
    return np.concatenate([infer(frames[start : start + BATCH]) for start in range(0, len(frames), BATCH)])


def milliseconds(infer: Infer, frames: np.ndarray) -> float:
    """Median time of a frame in batches of 32, or of as many as there are."""
    batch = frames[:BATCH]
    infer(batch)  # the first run plans
    times = []
    for _ in range(TIMED_BATCHES):
        start = time.perf_counter()
        infer(batch)
        times.append(time.perf_counter() - start)
    return 1000 * statistics.median(times) / len(batch)

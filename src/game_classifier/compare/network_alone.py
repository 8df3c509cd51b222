"""The networks alone, on decoded frames: in each runtime, one frame at a time and in batches."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from game_classifier.compare.contestants import Contestant
from game_classifier.compare.turns import Amount, Run, Times, in_turns
from game_classifier.deploy.gate import GateFrames
from game_classifier.errors import InputError
from game_classifier.runtime.runner import Runner

ONE, BATCHES = "one at a time", "batches"


@dataclass(frozen=True)
class Cell:
    """One network in one runtime."""

    network: str
    runtime: str
    top1: float  # in 0..1, in batches, on the labelled ones of the frames; NaN where there are none
    one: Times  # a frame at a time
    batches: Times


def time_networks(
    contestants: Sequence[Contestant],
    frames: Mapping[str, GateFrames],
    runtimes: Sequence[str],
    amount: Amount,
) -> list[Cell]:
    """Let every network classify `amount.frames` frames in every runtime that it has a file for, all in turns.

    `frames` holds the frames of each network, by its name; if there are too few, they are repeated. The cells are
    ordered by runtime, then by network. Raises InputError if no network has a file for any of the runtimes.
    """
    pixels = {name: _with_a_batch_more(each.frames, amount.batch_size) for name, each in frames.items()}
    timed = {}
    for runtime in runtimes:
        for contestant in contestants:
            classifier = contestant.load(runtime, amount.threads)
            if classifier is not None:
                name = contestant.name
                timed[runtime, name] = _Timed(classifier, pixels[name], frames[name].targets, amount.batch_size)
    if not timed:
        raise InputError(f"no network has a file for {', '.join(runtimes)} that passed the gate; give other --runtimes")
    runs = {}
    for key, each in timed.items():
        runs[key, ONE] = Run(amount.frames, each.classify_one, amount.frames)
        runs[key, BATCHES] = Run(-(-amount.frames // amount.batch_size), each.classify_batch, amount.frames)
    times = in_turns(runs, amount.rounds, amount.threads)
    return [
        Cell(name, runtime, each.top1(), times[(runtime, name), ONE], times[(runtime, name), BATCHES])
        for (runtime, name), each in timed.items()
    ]


def _with_a_batch_more(frames: np.ndarray, batch_size: int) -> np.ndarray:
    """`frames` and the first of them again, so that a batch that passes the end is a full view too."""
    return np.concatenate([frames, np.resize(frames, (batch_size, *frames.shape[1:]))])


class _Timed:
    """A classifier with its frames; it keeps what it answers in batches."""

    def __init__(self, classifier: Runner, frames: np.ndarray, labels: np.ndarray, batch_size: int) -> None:
        self.classifier, self.batch_size = classifier, batch_size
        self.frames, self.labels = frames, labels
        self.predicted = np.zeros(len(self.frames), np.int64)

    def classify_one(self, call: int) -> None:
        row = call % len(self.labels)
        self.classifier(self.frames[row : row + 1])

    def classify_batch(self, call: int) -> None:
        start = call * self.batch_size % len(self.labels)
        rows = slice(start, start + self.batch_size)
        self.predicted[rows] = self.classifier(self.frames[rows]).argmax(axis=1)

    def top1(self) -> float:
        labelled = self.labels >= 0
        if not labelled.any():
            return float("nan")
        return float((self.predicted[: len(self.labels)] == self.labels)[labelled].mean())

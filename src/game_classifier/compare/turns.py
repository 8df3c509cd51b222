"""Timing several runs in turns, so that a machine whose speed drifts favours none of them."""

import time
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import torch

from game_classifier.console import progress

Key = TypeVar("Key", bound=Hashable)
WARM_UP_CALLS = 3  # of each run, not counted: libraries plan and fill their caches in the first ones


@dataclass(frozen=True)
class Amount:
    """The number of frames, and how to run them."""

    frames: int
    batch_size: int
    rounds: int
    threads: int


@dataclass(frozen=True)
class Run:
    """Work that is cut into calls; the time of each is kept."""

    calls: int
    call: Callable[[int], object]  # takes the number of the call, from 0
    frames: int  # in all calls together


@dataclass(frozen=True)
class Times:
    """The times of a run."""

    rounds: tuple[np.ndarray, ...]  # seconds of each call, float64, an array for each round
    frames: int

    def total(self) -> float:
        """Seconds of all rounds."""
        return float(sum(each.sum() for each in self.rounds))

    def a_call_is_a_frame(self) -> bool:
        """Whether percentiles of the calls are those of frames."""
        return sum(map(len, self.rounds)) == self.frames

    def ms(self) -> float:
        """Milliseconds a frame, on average."""
        return 1000 * self.total() / self.frames

    def ms_percentile(self, share: float) -> float:
        """Milliseconds that `share` percent of the calls stay below."""
        return 1000 * float(np.percentile(np.concatenate(self.rounds), share))


def in_turns(runs: Mapping[Key, Run], rounds: int, threads: int) -> dict[Key, Times]:
    """Cut every run into `rounds` parts and do the first part of each, then the second, and so on.

    Every other round goes through the runs backwards, so that none always follows the same one. torch works with
    `threads` threads in every turn, even if the turn before changed that number.
    """
    for run in runs.values():
        torch.set_num_threads(threads)
        for number in range(min(WARM_UP_CALLS, run.calls)):
            run.call(number)
    times: dict[Key, list[np.ndarray]] = {key: [] for key in runs}
    with progress(total=rounds * len(runs), unit="turn", desc="measure", leave=False) as bar:
        for part in range(rounds):
            order = list(runs) if part % 2 == 0 else list(reversed(runs))
            for key in order:
                torch.set_num_threads(threads)
                times[key].append(_turn(runs[key], np.array_split(np.arange(runs[key].calls), rounds)[part]))
                bar.update()
    return {key: Times(tuple(parts), runs[key].frames) for key, parts in times.items()}


def _turn(run: Run, calls: np.ndarray) -> np.ndarray:
    seconds = np.zeros(len(calls))
    for position, number in enumerate(calls.tolist()):
        start = time.perf_counter()
        run.call(number)
        seconds[position] = time.perf_counter() - start
    return seconds


def saving(ours: Times, baseline: Times) -> float:
    """Share of the baseline's time that is saved; negative where ours takes longer."""
    return 1 - ours.total() / baseline.total()


def saving_range(ours: Times, baseline: Times) -> tuple[float, float]:
    """The least and the largest saving of any one round."""
    shares = [1 - a.sum() / b.sum() for a, b in zip(ours.rounds, baseline.rounds, strict=True)]
    return min(shares), max(shares)

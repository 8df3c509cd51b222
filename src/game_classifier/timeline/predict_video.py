"""One video in, its timeline out: all of it is read once, and the surroundings of each change a second time."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from game_classifier.errors import InputError
from game_classifier.frames.decode import FrameStatus
from game_classifier.pages.timeline_page import render_page
from game_classifier.runtime.runner import Infer, Runner
from game_classifier.storage import make_folder, remove_abandoned, write_text
from game_classifier.timeline.answers import BATCH_SIZE, Sample
from game_classifier.timeline.contract import FORMAT, FORMAT_VERSION, rows_of, sha256, to_dict, write_timeline
from game_classifier.timeline.hmm import HiddenMarkov, Smoothing, log_emissions
from game_classifier.timeline.identity import identify
from game_classifier.timeline.reading import Reading, read_video
from game_classifier.timeline.refine import Change, find_boundary, plan_changes
from game_classifier.timeline.sampling import GridSampler, ListSampler
from game_classifier.timeline.segments import Segment, find_changes, find_gaps, make_segments
from game_classifier.timeline.source import Source

MOST_PICTURES = 200  # on a page, some 4 kB each


@dataclass(frozen=True)
class Sampling:
    """Which frames are looked at."""

    interval: float = 2.0  # seconds
    frames: str = "auto"  # one of sampling.FRAMES


class VideoPredictor:
    """Makes timelines with one network; InputError if it is not a classifier's."""

    def __init__(self, runner: Runner, threads: int, sampling: Sampling, smoothing: Smoothing) -> None:
        self.runner = runner.require_classifier()
        self.workers = [partial(_answer, runner, infer) for infer in runner.workers(threads, BATCH_SIZE)]
        self.sampling = sampling
        self.smoothing = smoothing
        self.model = HiddenMarkov(len(runner.class_names), smoothing)
        self.origin = {
            "format": FORMAT,
            "format_version": FORMAT_VERSION,
            "model_sha256": runner.sha256(),
            "runtime": runner.runtime,
            "precision": runner.precision,
            "class_names": list(runner.class_names),
            "sampling": {"interval": sampling.interval, "frames": sampling.frames},
            "smoothing": smoothing.to_dict(),
        }

    def predict(self, source: Source, folder: Path) -> bool:
        """Write the timeline of `source` into `folder`; return False if it is there, made from the same video.

        timeline.json comes last, so that a timeline with it is whole. Raises InputError, with the remedy, if no frame
        can be read, and if the file changes meanwhile.
        """
        identity = identify(source)
        origin = self.origin | {"identity": identity}
        if is_finished(folder, origin):
            return False
        make_folder(folder)
        remove_abandoned(folder)
        (folder / "timeline.json").unlink(missing_ok=True)  # it must never describe other files than those beside it
        first = self._read(source)
        segments, states, confidences, pictures = self._decide(source, first)
        if identify(source) != identity:
            raise InputError(f"{source.name}: changed while it was read; run the same command again")
        values = origin | {"model": str(self.runner.source), "video": first.video, "duration": round(first.end, 3)}
        values |= to_dict(segments, first.gaps, self.runner.class_names)
        rows = rows_of(first.samples, states, confidences, len(self.runner.class_names))
        write_text(folder / "timeline.html", render_page(values, rows, pictures))
        write_timeline(folder, values, rows)
        return True

    def _read(self, source: Source) -> Reading:
        sampler = GridSampler(self.sampling.interval, self.sampling.frames)
        reading = read_video(source, sampler, self.workers, self.runner.preprocessing)
        if not any(sample.status == FrameStatus.OK for sample in reading.samples):
            seen = "its frames are damaged" if reading.samples else "it has no frames"
            raise InputError(f"{source.name}: no frame can be read, {seen}; record or copy it again")
        reading.gaps = find_gaps(reading.samples, reading.gaps, reading.end)
        return reading

    def _decide(self, source: Source, first: Reading) -> tuple[list[Segment], np.ndarray, np.ndarray, dict[int, bytes]]:
        """(segments, the states of the samples that were read, their probabilities, pictures of segments)."""
        read = [sample for sample in first.samples if sample.status == FrameStatus.OK]
        times, emissions = self.emissions(read)
        states = self.model.viterbi(times, emissions)
        posteriors = self.model.posteriors(times, emissions)
        changes = plan_changes(times, states, find_changes(times, states, first.gaps))
        rough = make_segments(times, states, posteriors, first.gaps, {}, first.end)
        shown = {number: read[len(part.samples) // 2 + part.samples.start].time for number, part in enumerate(rough)}
        shown = {number: shown[number] for number in _longest(rough)}
        looked = self._look(source, changes, shown)
        boundaries = self._boundaries(changes, looked)
        segments = make_segments(times, states, posteriors, first.gaps, boundaries, first.end)
        found = {sample.time: sample.picture for sample in looked if sample.picture}
        pictures = {number: found[time] for number, time in shown.items() if time in found}
        return segments, states, posteriors[np.arange(len(states)), states], pictures

    def emissions(self, samples: Sequence[Sample]) -> tuple[np.ndarray, np.ndarray]:
        """The times of samples that were read, and their log-emissions."""
        times = np.array([sample.time for sample in samples])
        probabilities = np.array([sample.probabilities for sample in samples]).reshape(len(samples), -1)
        known = [sample.known for sample in samples]
        scores = None if None in known else np.array(known, float)
        return times, log_emissions(probabilities, scores, self.smoothing)

    def _look(self, source: Source, changes: Sequence[Change], shown: dict[int, float]) -> list[Sample]:
        """The frames around changes and those to show, of a second reading."""
        times = sorted({float(time) for change in changes for time in change.times} | set(shown.values()))
        sampler = ListSampler(times)
        reading = read_video(
            source,
            sampler,
            self.workers,
            self.runner.preprocessing,
            set(shown.values()),
            until=max(times, default=0.0) + 1,
        )
        return [sample for sample in reading.samples if sample.status == FrameStatus.OK]

    def _boundaries(self, changes: Sequence[Change], looked: Sequence[Sample]) -> dict[int, float]:
        """Row -> time of the change after it, in rising order."""
        found = {sample.time: sample for sample in looked}
        boundaries: dict[int, float] = {}
        earliest = 0.0
        for change in changes:
            around = [found[time] for time in change.times.tolist() if time in found]
            if around:
                time = find_boundary(change, *self.emissions(around))
                boundaries[change.row] = earliest = max(time, earliest)
        return boundaries


def is_finished(folder: Path, origin: dict[str, Any]) -> bool:
    """Whether `folder` holds a whole timeline that was made from `origin`; always False for a URL."""
    try:
        values = json.loads((folder / "timeline.json").read_text(encoding="utf-8"))
        same = all(values[key] == value for key, value in origin.items()) and "ends_sha256" in origin["identity"]
        return same and sha256(folder / "timeline.npy") == values["array_sha256"]
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _longest(segments: Sequence[Segment]) -> list[int]:
    by_length = sorted(range(len(segments)), key=lambda number: segments[number].start - segments[number].end)
    return sorted(by_length[:MOST_PICTURES])


def _answer(runner: Runner, infer: Infer, frames: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
    return runner.split(infer(frames))

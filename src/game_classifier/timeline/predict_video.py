"""One video in, its timeline out: all of it is read once, and the surroundings of each change a second time."""

import json
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from game_classifier.errors import InputError
from game_classifier.frames.decode import FrameStatus
from game_classifier.pages.timeline_page import render_page
from game_classifier.runtime.runner import Infer, Runner
from game_classifier.storage import make_folder, remove_abandoned
from game_classifier.timeline.answers import BATCH_SIZE, Networks, Sample
from game_classifier.timeline.contract import FORMAT, FORMAT_VERSION, sha256, to_dict, write_timeline
from game_classifier.timeline.hmm import HiddenMarkov, Smoothing, log_emissions, state_emissions
from game_classifier.timeline.identity import identify
from game_classifier.timeline.reading import Reading, read_video
from game_classifier.timeline.refine import Looked, plan_changes
from game_classifier.timeline.region import Region
from game_classifier.timeline.sample_file import SampleFile, open_samples
from game_classifier.timeline.sampling import GridSampler, ListSampler
from game_classifier.timeline.segments import Segment, find_changes, find_gaps, make_segments
from game_classifier.timeline.source import Source

REFUSE = 0.02  # chosen on programmes; refusing single frames at 1% lets too much pass, since a video has many frames
MOST_PICTURES = 200  # on a page, some 4 kB each


@dataclass(frozen=True)
class Sampling:
    """Which frames are looked at."""

    interval: float = 2.0  # seconds
    frames: str = "auto"  # one of sampling.FRAMES


class VideoPredictor:
    """Makes timelines with one network; InputError if it is not a classifier's."""

    def __init__(
        self,
        runner: Runner,
        threads: int,
        sampling: Sampling,
        smoothing: Smoothing,
        refuse: float | None = None,
        region: Region | None = None,
    ) -> None:
        """`refuse` as for `even_known`, which sets `smoothing.even`; frames are cut to the `region`."""
        self.runner = runner.require_classifier()
        smoothing = replace(smoothing, even=even_known(runner, refuse))
        self.region = region
        self.workers = [
            Networks(partial(_answer, runner, infer), find)
            for infer, find in zip(
                runner.workers(threads, BATCH_SIZE),
                region.finders(threads) if region else [None] * threads,
                strict=True,
            )
        ]
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
            "region": region and region.origin,
        }

    def files(self) -> dict[str, Any]:
        """The values of timeline.json that name the networks' files, which may be moved."""
        region = self.region and self.region.origin | {"model": str(self.region.runner.source)}
        return {"model": str(self.runner.source), "region": region}

    def open_samples(self, folder: Path) -> AbstractContextManager[SampleFile]:
        """A new file in `folder` for the rows of timeline.npy."""
        return open_samples(folder, len(self.runner.class_names), self.region is not None)

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
        with self.open_samples(folder) as samples:
            first = self._read(source, samples)
            segments, pictures = self._decide(source, first, samples)
            if identify(source) != identity:
                raise InputError(f"{source.name}: changed while it was read; run the same command again")
            values = origin | self.files() | {"video": first.video, "duration": round(first.end, 3)}
            values |= to_dict(segments, first.gaps, self.runner.class_names)
            write_timeline(folder, values, samples.rows(), render_page(values, samples.rows(), pictures))
        return True

    def _read(self, source: Source, samples: SampleFile) -> Reading:
        sampler = GridSampler(self.sampling.interval, self.sampling.frames)
        reading = read_video(source, sampler, self.workers, self.runner.preprocessing, samples.add)
        rows = samples.rows()
        if not (rows["status"] == FrameStatus.OK).any():
            seen = "its frames are damaged" if len(rows) else "it has no frames"
            raise InputError(f"{source.name}: no frame can be read, {seen}; record or copy it again")
        reading.gaps = find_gaps(rows["time"], rows["status"], reading.gaps, reading.end)
        return reading

    def _decide(self, source: Source, first: Reading, samples: SampleFile) -> tuple[list[Segment], dict[int, bytes]]:
        """The segments, and pictures of some by their number; `samples` get their states."""
        rows = samples.rows()
        read = np.flatnonzero(rows["status"] == FrameStatus.OK)
        times = rows["time"][read]
        states, confidences = self.model.decode(
            times, lambda first, last: self._state_emissions(rows[read[first:last]])
        )
        samples.set_states(states, confidences)
        changes = plan_changes(times, states, find_changes(times, states, first.gaps))
        rough = make_segments(times, states, confidences, first.gaps, {}, first.end)
        middles = (part.samples[len(part.samples) // 2] for part in rough)
        shown = dict(enumerate(times[list(middles)].tolist()))
        shown = {number: shown[number] for number in _longest(rough)}
        looked = Looked(changes, self.emissions)
        moments = sorted({*looked.moments, *shown.values()})
        read_video(
            source,
            ListSampler(moments),
            self.workers,
            self.runner.preprocessing,
            looked.add,
            set(shown.values()),
            until=max(moments, default=0.0) + 1,
        )
        segments = make_segments(times, states, confidences, first.gaps, looked.boundaries(), first.end)
        return segments, {number: looked.pictures[time] for number, time in shown.items() if time in looked.pictures}

    def emissions(self, sample: Sample) -> np.ndarray:
        """The log_emissions of a sample that was read, float64 [C + 1]."""
        return log_emissions(*_scores(sample), self.smoothing)[0]

    def state_emissions(self, sample: Sample) -> np.ndarray:
        """The state_emissions of a sample that was read, float64 [2 * C + 1]."""
        return state_emissions(*_scores(sample), self.smoothing)[0]

    def _state_emissions(self, rows: np.ndarray) -> np.ndarray:
        known = None if np.isnan(rows["known"]).any() else rows["known"]
        return state_emissions(rows["probs"], known, self.smoothing)


def even_known(runner: Runner, refuse: float | None) -> float:
    """The `known` score at which a frame speaks for "unknown" as much as for a class.

    It is the threshold that the share `refuse` of the validation frames lies below: 0 to 0.5, by default REFUSE, or the
    least that the network's thresholds reach. Raises InputError for another one, or if there are no thresholds.
    """
    if runner.refusals is None:
        if refuse is not None:
            raise InputError(
                f"{runner.source}: its network does not give the `known` score; leave --refuse out, or add the score"
                " with tool/fit_known.py"
            )
        return 0.5
    return runner.refusals.threshold(max(REFUSE, runner.refusals.rates[0]) if refuse is None else refuse)


def is_finished(folder: Path, origin: dict[str, Any]) -> bool:
    """Whether `folder` holds a whole timeline that was made from `origin`; always False for a URL."""
    try:
        values = json.loads((folder / "timeline.json").read_text(encoding="utf-8"))
        if values.get("region"):  # the detector's file may be moved, as the classifier's
            del values["region"]["model"]
        # Timelines from before there were regions have no such key.
        same = all(values.get(key) == value for key, value in origin.items()) and "ends_sha256" in origin["identity"]
        return same and sha256(folder / "timeline.npy") == values["array_sha256"]
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _longest(segments: Sequence[Segment]) -> list[int]:
    by_length = sorted(range(len(segments)), key=lambda number: segments[number].start - segments[number].end)
    return sorted(by_length[:MOST_PICTURES])


def _scores(sample: Sample) -> tuple[np.ndarray, np.ndarray | None]:
    return sample.probabilities[None], None if sample.known is None else np.array([sample.known])


def _answer(runner: Runner, infer: Infer, frames: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
    return runner.split(infer(frames).copy())  # they wait for their turn while the next frames are answered

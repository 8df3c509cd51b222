"""Many videos, here or on Ray: a folder with its timeline for each; finished ones are kept."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from game_classifier.errors import InputError
from game_classifier.ray_pool import map_on_ray
from game_classifier.runtime.runner import load_runner
from game_classifier.timeline.hmm import Smoothing
from game_classifier.timeline.predict_video import Sampling, VideoPredictor
from game_classifier.timeline.region import Region
from game_classifier.timeline.source import Source


@dataclass(frozen=True)
class Job:
    """The settings of every worker."""

    weights: Path
    precision: str  # of both networks
    threads: int  # of each worker
    sampling: Sampling
    smoothing: Smoothing
    refuse: float | None = None
    region: Path | None = None  # the detector's file

    def make_predictor(self) -> VideoPredictor:
        """Load the networks; InputError as of VideoPredictor and Region."""
        runner = load_runner(self.weights, "auto", self.precision)
        region = Region(load_runner(self.region, "auto", self.precision)) if self.region else None
        return VideoPredictor(runner, self.threads, self.sampling, self.smoothing, self.refuse, region)


@dataclass(frozen=True)
class Outcome:
    """How many timelines were made and kept, and the complaints about the other videos."""

    made: int
    kept: int
    complaints: tuple[str, ...]


class _Worker:
    """One process on some node."""

    def __init__(self, job: Job) -> None:
        self.predictor = job.make_predictor()

    def predict(self, source: tuple[str, Path]) -> bool | str:
        return predict_one(self.predictor, *source)


def predict_one(predictor: VideoPredictor, video: str, folder: Path) -> bool | str:
    """True if the timeline was made, False if it was there; a text if the video is at fault, so that others go on."""
    try:
        return predictor.predict(Source(video), folder)
    except InputError as error:
        return str(error)


def predict_videos(videos: Mapping[str, Path], save: Path, predictor: VideoPredictor) -> Outcome:
    """Write the timeline of each video into `save/NAME/`."""
    return _outcome([predict_one(predictor, str(path), save / name) for name, path in videos.items()])


def predict_videos_with_ray(videos: Mapping[str, Path], save: Path, job: Job) -> Outcome:
    """The same on a Ray cluster; see ray_pool.py."""
    sources = [(str(path), save / name) for name, path in videos.items()]
    return _outcome(map_on_ray(_Worker, job, sources, job.threads))


def _outcome(results: list[bool | str]) -> Outcome:
    complaints = sorted(result for result in results if isinstance(result, str))
    return Outcome(results.count(True), results.count(False), tuple(complaints))

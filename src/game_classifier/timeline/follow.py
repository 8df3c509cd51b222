"""Following a live stream or a pipe: a decision some seconds after each frame, in memory that does not grow.

Each change is told at once as a JSON line, and never changed. The files of a timeline are written every minute and at
the end, so that a kill loses no more.
"""

import json
import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av

from game_classifier.errors import InputError, Interrupted
from game_classifier.frames.decode import FrameStatus
from game_classifier.pages.timeline_page import render_page
from game_classifier.storage import make_folder, remove_abandoned
from game_classifier.timeline.answers import Sample, answer_pieces
from game_classifier.timeline.clock import Clock, Gap
from game_classifier.timeline.contract import name_of, to_dict, write_timeline
from game_classifier.timeline.hmm import FixedLag
from game_classifier.timeline.identity import describe, frame_rate
from game_classifier.timeline.packets import Piece, read_pieces
from game_classifier.timeline.predict_video import VideoPredictor
from game_classifier.timeline.sample_file import SampleFile
from game_classifier.timeline.sampling import GridSampler, Sampler
from game_classifier.timeline.segments import Segment
from game_classifier.timeline.source import Source, video_streams

LONGEST_PIECE = 0.5  # seconds: what waits for its piece is not decided
FIRST_WAIT, LONGEST_WAIT = 1.0, 60.0  # seconds between two attempts to connect
SECONDS_BETWEEN_SAVES = 60.0  # the first comes with the first decision
SHARE_OF_SAVING = 0.01  # of the time, at most: after days, a save takes seconds

Tell = Callable[[dict[str, Any]], None]


@dataclass(frozen=True)
class Following:
    """How a stream is followed."""

    lag: float = 10.0  # seconds of frames after a frame, before its state is decided
    patience: float = 300.0  # seconds without a connection before the stream counts as ended


def tell_in_lines(event: dict[str, Any]) -> None:
    """Print one line of JSON at once, so that another program can follow by a pipe."""
    print(json.dumps(event, ensure_ascii=False), flush=True)


def follow(predictor: VideoPredictor, source: Source, folder: Path, following: Following, tell: Tell) -> None:
    """Follow `source` to its end, tell each change and gap, and write its timeline into `folder`.

    Ctrl-C and SIGTERM end it too: the timeline is written, then Interrupted is raised. Raises InputError if the stream
    cannot be opened at first, or if no frame of it can be read.
    """
    make_folder(folder)
    remove_abandoned(folder)
    (folder / "timeline.json").unlink(missing_ok=True)
    clock, video = Clock(25.0), {}
    sampler = GridSampler(predictor.sampling.interval, predictor.sampling.frames)
    pieces = _pieces(source, sampler, clock, video, following.patience)
    origin = predictor.origin | {"identity": {"path": source.name}} | predictor.files()
    interrupted = False
    with predictor.open_samples(folder) as samples:
        decisions = _Decisions(predictor, following.lag, samples, tell)

        def save(segments: list[Segment], end: float, ended: bool) -> None:
            values = origin | {"following": {"lag": following.lag, "ended": ended}}
            values |= {"video": video, "duration": round(end, 3)}
            values |= to_dict(segments, decisions.gaps, predictor.runner.class_names)
            rows = samples.rows()
            write_timeline(folder, values, rows, render_page(values, rows, {}))

        next_save = 0.0
        with _termination_as_interrupt():
            try:
                for each in answer_pieces(pieces, predictor.workers, predictor.runner.preprocessing):
                    decisions.add(each)
                    start = time.monotonic()
                    if start >= next_save and (segments := decisions.so_far()):
                        save(segments, segments[-1].end, ended=False)
                        end = time.monotonic()
                        next_save = end + max(SECONDS_BETWEEN_SAVES, (end - start) / SHARE_OF_SAVING)
            except KeyboardInterrupt:
                interrupted = True
        segments = decisions.finish(clock.end)
        if not segments:
            raise InputError(f"{source.name}: no frame could be read; check that it sends video")
        save(segments, clock.end, ended=True)
    tell({"event": "end", "time": round(clock.end, 3)})
    if interrupted:
        raise Interrupted(f"stopped; the timeline up to here is in {folder}")


def _pieces(
    source: Source, sampler: Sampler, clock: Clock, video: dict[str, Any], patience: float
) -> Iterator[Piece | Gap]:
    """The pieces of a stream over all its connections; `video` gets the description of the first."""
    last = time.monotonic()
    wait = FIRST_WAIT
    while True:
        try:
            with source.open() as container:
                stream = video_streams(container)[0]
                if video:
                    yield clock.restart(time.monotonic() - last)
                    sampler.skip_to(clock.end)
                else:
                    video.update(describe(container, stream))
                clock.frame = 1 / frame_rate(stream)
                for piece in read_pieces(container, stream, clock, sampler, LONGEST_PIECE):
                    last, wait = time.monotonic(), FIRST_WAIT
                    yield piece
        except (av.FFmpegError, InputError):
            if not video:
                raise
        if source.is_pipe or time.monotonic() + wait > last + patience:
            return
        time.sleep(wait)
        wait = min(2 * wait, LONGEST_WAIT)


@dataclass
class _Open:
    """The segment that is not over yet."""

    start: float
    state: int
    confidence: float = 0.0  # summed
    samples: int = 0

    def until(self, end: float) -> Segment:
        """What it is if it ends there."""
        return Segment(self.start, end, self.state, self.confidence / self.samples, range(0))


class _Decisions:
    """From samples to decided segments; holds the samples of the lag, the segments and the gaps."""

    def __init__(self, predictor: VideoPredictor, lag: float, samples: SampleFile, tell: Tell) -> None:
        self.predictor = predictor
        self.lag = FixedLag(predictor.model, lag)
        self.samples = samples
        self.tell = tell
        self.waiting: deque[Sample] = deque()  # read, but not decided
        self.segments: list[Segment] = []
        self.gaps: list[Gap] = []
        self.open: _Open | None = None
        self.decided = 0.0  # the time of the last decided sample
        self.damaged: tuple[float, float] | None = None  # start of the damage, time of its last sample
        self.newest = 0.0

    def add(self, each: Sample | Gap) -> None:
        """Take what comes next; tells what is decided by it."""
        if isinstance(each, Gap):
            self._settle(self.lag.finish())
            self._interrupt(each)
            return
        self.newest = each.time
        if each.status != FrameStatus.OK:
            self._settle(self.lag.finish())
            start = self.damaged[0] if self.damaged else (self.decided + each.time) / 2
            self.damaged = start, each.time
            self.samples.add(each)
            return
        if self.damaged:
            self._interrupt(Gap(self.damaged[0], (self.damaged[1] + each.time) / 2, "damaged"))
        self.waiting.append(each)
        self._settle(self.lag.add(each.time, self.predictor.state_emissions(each)))

    def so_far(self) -> list[Segment]:
        """The segments up to the last decision."""
        return [*self.segments, *([self.open.until(self.decided)] if self.open else [])]

    def finish(self, end: float) -> list[Segment]:
        """Decide and close what is left; all segments."""
        self._settle(self.lag.finish())
        if self.damaged:
            self._interrupt(Gap(self.damaged[0], end, "damaged"))
        self._close(end)
        return self.segments

    def _settle(self, decided: list[tuple[float, int, float]]) -> None:
        """Take the decisions for the first of the waiting samples."""
        for when, state, confidence in decided:
            self.samples.add(self.waiting.popleft(), state, confidence)
            if self.open is None or self.open.state != state:
                after_gap = self.gaps[-1].end if self.gaps else 0.0
                start = (self.decided + when) / 2 if self.open else after_gap
                self._close(start)
                self.open = _Open(start, state)
                change = {"event": "change", "time": round(start, 3)}
                change |= name_of(state, self.predictor.runner.class_names)
                self.tell(change | {"confidence": round(confidence, 4), "delay": round(self.newest - start, 3)})
            self.open.confidence += confidence
            self.open.samples += 1
            self.decided = when

    def _interrupt(self, gap: Gap) -> None:
        self._close(gap.start)
        self.damaged = None
        self.gaps.append(gap)
        self.tell({"event": "gap", "time": round(gap.start, 3), "end": round(gap.end, 3), "reason": gap.reason})

    def _close(self, end: float) -> None:
        if self.open:
            self.segments.append(self.open.until(end))
        self.open = None


@contextmanager
def _termination_as_interrupt() -> Iterator[None]:
    """SIGTERM acts as Ctrl-C."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)

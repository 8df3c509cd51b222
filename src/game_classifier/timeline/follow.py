"""Following a live stream or a pipe: a decision some seconds after each frame, in memory that does not grow.

Each change is told at once as a JSON line; the files of a timeline are written at the end. What was told is never
changed.
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
from typing import IO, Any

import av
import numpy as np

from game_classifier.errors import InputError, Interrupted
from game_classifier.frames.decode import FrameStatus
from game_classifier.pages.timeline_page import render_page
from game_classifier.storage import make_folder, remove_abandoned, replacing, write_text
from game_classifier.timeline.answers import Sample, answer_pieces
from game_classifier.timeline.clock import Clock, Gap
from game_classifier.timeline.contract import finish, name_of, row_type, rows_of, to_dict, write_texts
from game_classifier.timeline.hmm import FixedLag
from game_classifier.timeline.identity import describe, frame_rate
from game_classifier.timeline.packets import Piece, read_pieces
from game_classifier.timeline.predict_video import VideoPredictor
from game_classifier.timeline.sampling import GridSampler, Sampler
from game_classifier.timeline.segments import Segment
from game_classifier.timeline.source import Source, video_streams

LONGEST_PIECE = 0.5  # seconds: what waits for its piece is not decided
FIRST_WAIT, LONGEST_WAIT = 1.0, 60.0  # seconds between two attempts to connect

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
    classes = len(predictor.runner.class_names)
    clock, video = Clock(25.0), {}
    sampler = GridSampler(predictor.sampling.interval, predictor.sampling.frames)
    pieces = _pieces(source, sampler, clock, video, following.patience)
    interrupted = False
    with replacing(folder / "timeline.npy") as temporary, temporary.open("w+b") as file:
        rows = _Rows(file, classes)
        decisions = _Decisions(predictor, following.lag, rows, tell)
        with _termination_as_interrupt():
            try:
                for each in answer_pieces(pieces, predictor.workers, predictor.runner.preprocessing):
                    decisions.add(each)
            except KeyboardInterrupt:
                interrupted = True
        segments = decisions.finish(clock.end)
        if not segments:
            raise InputError(f"{source.name}: no frame could be read; check that it sends video")
        rows.close()
    values = predictor.origin | {"identity": {"path": source.name}, "model": str(predictor.runner.source)}
    values |= {"following": {"lag": following.lag}, "video": video, "duration": round(clock.end, 3)}
    values |= to_dict(segments, decisions.gaps, predictor.runner.class_names)
    write_texts(folder, values)
    table = np.load(folder / "timeline.npy", mmap_mode="r")
    write_text(folder / "timeline.html", render_page(values, table, {}))
    finish(folder, values)
    tell({"event": "end", "time": values["duration"]})
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


class _Decisions:
    """From samples to decided segments; holds the samples of the lag, the segments and the gaps."""

    def __init__(self, predictor: VideoPredictor, lag: float, rows: "_Rows", tell: Tell) -> None:
        self.predictor = predictor
        self.lag = FixedLag(predictor.model, lag)
        self.rows = rows
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
            self.rows.add(each)
            return
        if self.damaged:
            self._interrupt(Gap(self.damaged[0], (self.damaged[1] + each.time) / 2, "damaged"))
        self.waiting.append(each)
        _, emissions = self.predictor.emissions([each])
        self._settle(self.lag.add(each.time, emissions[0]))

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
            self.rows.add(self.waiting.popleft(), state, confidence)
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
            mean = self.open.confidence / self.open.samples
            self.segments.append(Segment(self.open.start, end, self.open.state, mean, range(0)))
        self.open = None


class _Rows:
    """timeline.npy, row by row: its header keeps room for the number of rows, which the end brings."""

    def __init__(self, file: IO[bytes], classes: int) -> None:
        self.file = file
        self.classes = classes
        self.count = 0
        self._write_header()

    def add(self, sample: Sample, state: int = 0, confidence: float = 0.0) -> None:
        """Append the row of a sample; `state` and `confidence` count if it was read."""
        read = int(sample.status == FrameStatus.OK)
        rows = rows_of([sample], np.array([state] * read), np.array([confidence] * read), self.classes)
        self.file.write(rows.tobytes())
        self.count += 1

    def close(self) -> None:
        """Write the number of rows."""
        self.file.seek(0)
        self._write_header()

    def _write_header(self) -> None:
        dtype = np.lib.format.dtype_to_descr(row_type(self.classes))
        header = {"descr": dtype, "fortran_order": False, "shape": (self.count,)}
        np.lib.format.write_array_header_1_0(self.file, header)


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

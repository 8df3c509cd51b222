"""From pieces of a video to answers, in order: each thread decodes, resizes and classifies pieces of its own."""

import heapq
import io
import queue
import threading
from collections.abc import Callable, Container, Iterable, Iterator
from dataclasses import dataclass, field, replace

import av
import numpy as np
import torch
from PIL import Image, ImageDraw

from game_classifier.frames.decode import FrameError, FrameStatus, Preprocessing
from game_classifier.frames.video_frame import Find, Rectangle, region_pixels, video_pixels
from game_classifier.pages.page import THUMBNAIL, THUMBNAIL_QUALITY
from game_classifier.tasks.detection.geometry import pictures
from game_classifier.timeline.clock import Gap
from game_classifier.timeline.decode import Look, look_at
from game_classifier.timeline.packets import Piece

BATCH_SIZE = 8  # always full (black where frames are missing), so that an answer depends on its frame alone
OUTLINE = (255, 210, 0)  # of the region on a small picture
SECONDS_BETWEEN_CHECKS = 0.2  # whether the caller has stopped
SECONDS_TO_END = 2.0  # that the reader gets; it may wait for a pipe that sends nothing


@dataclass(frozen=True)
class Sample:
    """The answer for the frame at a moment."""

    time: float  # seconds from the first frame
    status: FrameStatus
    probabilities: np.ndarray | None = None  # float32 [C]; None unless the status is OK
    known: float | None = None  # probability that the frame shows one of the classes; None: the network cannot tell
    picture: bytes | None = field(default=None, repr=False)  # a small JPEG, where one was asked for
    region: Rectangle | None = None  # the part that was classified; None: the whole frame


# Frames uint8 [N, H, W, 3] -> (probabilities float32 [N, C], known float32 [N] or None)
Answer = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray | None]]


@dataclass(frozen=True)
class Networks:
    """What one thread runs, and no other thread meanwhile."""

    answer: Answer
    find: Find | None = None  # the part of a frame that is classified; None: the whole frame


class _Stopped(Exception):
    """The caller takes no more answers."""


class _Line:
    """What the threads share."""

    def __init__(self, preprocessing: Preprocessing, waiting: int, pictures: Container[float]) -> None:
        self.preprocessing = preprocessing
        self.pictures = pictures
        self.pieces: queue.Queue[tuple[int, Piece] | None] = queue.Queue(waiting)
        self.done: queue.SimpleQueue[tuple[int, list[Sample | Gap]] | BaseException | int] = queue.SimpleQueue()
        self.stop = threading.Event()

    def put(self, item: tuple[int, Piece] | None) -> None:
        while not self.stop.is_set():
            try:
                return self.pieces.put(item, timeout=SECONDS_BETWEEN_CHECKS)
            except queue.Full:
                continue
        raise _Stopped

    def get(self) -> tuple[int, Piece] | None:
        while not self.stop.is_set():
            try:
                return self.pieces.get(timeout=SECONDS_BETWEEN_CHECKS)
            except queue.Empty:
                continue
        raise _Stopped


def answer_pieces(
    pieces: Iterable[Piece | Gap],
    workers: list[Networks],
    preprocessing: Preprocessing,
    pictures: Container[float] = (),
) -> Iterator[Sample | Gap]:
    """Yield the samples and gaps of `pieces` in order, with small pictures of the moments in `pictures`.

    One thread reads; each of `workers` gets a thread too. Memory holds a few pieces for each thread. An error in any of
    them is raised here; closing this iterator ends them.
    """
    line = _Line(preprocessing, 2 * len(workers), pictures)
    reader = threading.Thread(target=_guarded, args=(line, _read, line, pieces, len(workers)), daemon=True)
    threads = [threading.Thread(target=_guarded, args=(line, _Worker(line, networks).run)) for networks in workers]
    for thread in (reader, *threads):
        thread.start()
    try:
        yield from _in_order(line)
    finally:
        line.stop.set()
        for thread in threads:
            thread.join()
        reader.join(SECONDS_TO_END)


def _guarded(line: _Line, work: Callable[..., None], *arguments: object) -> None:
    try:
        work(*arguments)
    except _Stopped:
        pass
    except BaseException as error:
        line.done.put(error)


def _read(line: _Line, pieces: Iterable[Piece | Gap], workers: int) -> None:
    number = -1
    for number, item in enumerate(pieces):
        if isinstance(item, Gap):
            line.done.put((number, [item]))
        else:
            line.put((number, item))
    for _ in range(workers):
        line.put(None)
    line.done.put(number + 1)


def _in_order(line: _Line) -> Iterator[Sample | Gap]:
    early: list[tuple[int, list[Sample | Gap]]] = []  # a heap
    following, total = 0, None
    while following != total:
        done = line.done.get()
        if isinstance(done, BaseException):
            raise done
        if isinstance(done, int):
            total = done
            continue
        heapq.heappush(early, done)
        while early and early[0][0] == following:
            yield from heapq.heappop(early)[1]
            following += 1


class _Worker:
    """One thread's work. Frames wait until a batch is full, or until there is nothing else to do."""

    def __init__(self, line: _Line, networks: Networks) -> None:
        self.line = line
        self.networks = networks
        self.frames: list[np.ndarray] = []
        self.waiting: list[tuple[int, list[Sample]]] = []

    def run(self) -> None:
        torch.set_num_threads(1)
        while True:
            try:
                item = self.line.pieces.get_nowait()
            except queue.Empty:
                self.flush()
                item = self.line.get()
            if item is None:
                return self.flush()
            number, piece = item
            self.waiting.append((number, [self.prepare(look, piece) for look in look_at(piece)]))
            if len(self.frames) >= BATCH_SIZE:
                self.flush()

    def prepare(self, look: Look, piece: Piece) -> Sample:
        """The sample of a look, but for its answer; its frame waits in `self.frames` if the status is OK."""
        if look.frame is None:
            return Sample(look.time, FrameStatus.CORRUPT)
        rotation = piece.group.codec.rotation
        try:
            pixels, region = region_pixels(look.frame, rotation, self.line.preprocessing, self.networks.find)
        except FrameError as error:
            return Sample(look.time, error.status)
        self.frames.append(pixels)
        picture = None
        if look.time in self.line.pictures:
            picture = _thumbnail(look.frame, rotation, region)
        return Sample(look.time, FrameStatus.OK, picture=picture, region=region)

    def flush(self) -> None:
        answers = self.answers()
        for number, samples in self.waiting:
            self.line.done.put((number, [_answered(sample, answers) for sample in samples]))
        self.frames, self.waiting = [], []

    def answers(self) -> Iterator[tuple[np.ndarray, float | None]]:
        size = self.line.preprocessing
        for start in range(0, len(self.frames), BATCH_SIZE):
            taken = self.frames[start : start + BATCH_SIZE]
            batch = np.zeros((BATCH_SIZE, size.height, size.width, 3), np.uint8)
            batch[: len(taken)] = taken
            probabilities, known = self.networks.answer(batch)
            for row in range(len(taken)):
                yield probabilities[row], None if known is None else float(known[row])


def _thumbnail(frame: av.VideoFrame, rotation: int, region: Rectangle | None) -> bytes:
    """A small JPEG of a whole frame, with the outline of its region."""
    picture = Image.fromarray(video_pixels(frame, rotation, THUMBNAIL))
    if region:
        size = (frame.width, frame.height) if round(rotation / 90) % 2 else (frame.height, frame.width)
        left, top, width, height = pictures(np.array([size]), THUMBNAIL)[0].tolist()
        x1, y1, x2, y2 = np.multiply(region, (width / size[1], height / size[0]) * 2) + (left, top) * 2
        ImageDraw.Draw(picture).rectangle((x1, y1, x2 - 1, y2 - 1), outline=OUTLINE, width=2)
    data = io.BytesIO()
    picture.save(data, "JPEG", quality=THUMBNAIL_QUALITY)
    return data.getvalue()


def _answered(sample: Sample, answers: Iterator[tuple[np.ndarray, float | None]]) -> Sample:
    if sample.status != FrameStatus.OK:
        return sample
    probabilities, known = next(answers)
    return replace(sample, probabilities=probabilities, known=known)

"""Opening what FFmpeg reads: a file, a URL or a pipe; what is no video ends with one line."""

import io
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av

from game_classifier.errors import InputError

PIPE = "-"
STREAMING = ("rtmp", "rtmps", "rtmpt", "rtsp", "rtsps", "srt", "udp", "rtp", "tcp")  # never a file
av.logging.set_level(None)  # FFmpeg's own remarks on damaged data; ours name the file
logging.getLogger("libav").setLevel(logging.CRITICAL)


@dataclass(frozen=True)
class Source:
    """What to read: the path of a file, a URL, or PIPE."""

    name: str
    time_limit: float = 20.0  # seconds that a URL may take to open, or to send its next bytes

    @property
    def is_pipe(self) -> bool:
        """Whether it is standard input."""
        return self.name == PIPE

    @property
    def is_url(self) -> bool:
        """Whether it is a URL; a name with :// that is a file stays a file."""
        return "://" in self.name and not Path(self.name).exists()

    @property
    def short_name(self) -> str:
        """The name without its folders."""
        return "standard input" if self.is_pipe else self.name.rstrip("/").rpartition("/")[2]

    @contextmanager
    def open(self) -> Iterator[av.container.InputContainer]:
        """The opened container; raises InputError, with the remedy, if it is missing, silent, or no video."""
        file: Any = self.name
        if self.is_pipe:
            file = _Pipe()
        elif not self.is_url:
            require_readable(Path(self.name))
            file = f"file:{self.name}"  # a colon in a file's name is no protocol
        try:
            limit = self.time_limit if self.is_url else None
            container = av.open(file, timeout=limit, metadata_errors="replace")
        except av.FFmpegError as error:
            raise InputError(self._complaint(error)) from None
        with container:
            require_video(container, self.name)
            yield container

    def _complaint(self, error: av.FFmpegError) -> str:
        if isinstance(error, av.error.TimeoutError | av.error.ExitError):
            return (
                f"{self.name}: no answer for {self.time_limit:g} s; check the address, or allow more with --time-limit"
            )
        if self.is_url:
            return f"{self.name}: cannot be opened ({error.strerror}); check the address"
        if isinstance(error, av.error.InvalidDataError | av.error.EOFError):
            name = "standard input" if self.is_pipe else self.name
            return f"{name}: not a video that FFmpeg can read, or its header is damaged; record it again"
        return f"{self.name}: cannot be opened ({error.strerror})"


def require_readable(path: Path) -> None:
    """Raise InputError unless `path` is a file with content that this user may read."""
    if path.is_dir():
        raise InputError(f"{path}: is a folder; give a video file")
    if not path.exists():
        raise InputError(f"{path}: no such file; give a video file, a folder or list of videos, a URL, or - for a pipe")
    if not os.access(path, os.R_OK):
        raise InputError(f"{path}: may not be read; change its permissions")
    if path.is_file() and path.stat().st_size == 0:
        raise InputError(f"{path}: is empty; record or copy it again")


def require_video(container: av.container.InputContainer, name: str) -> None:
    """Raise InputError unless there is a video stream that this FFmpeg can decode."""
    if not video_streams(container):
        kinds = sorted({stream.type for stream in container.streams if stream.type})
        found = "only a cover picture" if container.streams.video else " and ".join(kinds) or "nothing"
        raise InputError(f"{name}: has no video stream ({found} in it); give a file with a picture")
    if getattr(video_streams(container)[0], "codec_context", None) is None:
        raise InputError(f"{name}: FFmpeg has no decoder for its video; convert it to H.264")


def video_streams(container: av.container.InputContainer) -> list[av.VideoStream]:
    """The video streams without cover pictures; the first is the one that is read."""
    cover = av.stream.Disposition.attached_pic
    return [stream for stream in container.streams.video if not stream.disposition & cover]


def is_live(source: Source) -> bool:
    """Whether a URL has no known end, so that it is followed instead of read to its end first."""
    if source.name.partition("://")[0] in STREAMING:
        return True
    with source.open() as container:
        return not container.duration


class _Pipe(io.RawIOBase):
    """Standard input for FFmpeg: a read returns what is there instead of waiting until a buffer is full."""

    def __init__(self) -> None:
        self.file = io.FileIO(0, closefd=False)

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        return self.file.read(size) or b""

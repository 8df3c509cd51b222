"""Videos that tests make themselves with PyAV, and reading their timelines."""

import json
from collections.abc import Callable, Iterable, Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from conftest import draw_frame

RATE = 10  # frames a second
SIZE = (160, 90)
UNLIKE = -1  # a grey picture that no class looks like


def picture(class_index: int, number: int, size: tuple[int, int] = SIZE) -> np.ndarray:
    """A frame of one of conftest's classes, uint8 [H, W, 3]."""
    if class_index == UNLIKE:
        return np.random.default_rng(number).integers(100, 150, (size[1], size[0], 3), dtype=np.uint8)
    return np.asarray(draw_frame(class_index, number % 4, size))


def programme(parts: Iterable[tuple[int, float]], size: tuple[int, int] = SIZE) -> Iterator[np.ndarray]:
    """Frames of (class, seconds) after each other."""
    number = 0
    for class_index, seconds in parts:
        for _ in range(round(seconds * RATE)):
            yield picture(class_index, number, size)
            number += 1


def write_video(
    path: Path,
    frames: Iterable[np.ndarray],
    times: Iterable[float] | None = None,
    *,
    codec: str = "libx264",
    key_every: int = 20,
    pixels: str = "yuv420p",
    options: dict[str, str] | None = None,
    rotation: int = 0,
    container_options: dict[str, str] | None = None,
) -> Path:
    """Encode uint8 frames [H, W, 3]; `times` in seconds for a rate that varies."""
    if codec not in av.codecs_available:
        codec = "mpeg4"
    with av.open(str(path), "w", options=container_options or {}) as container:
        stream = container.add_stream(
            codec, rate=RATE, options={"preset": "ultrafast", "sc_threshold": "0"} | (options or {})
        )
        stream.pix_fmt, stream.gop_size = pixels, key_every
        stream.codec_context.time_base = Fraction(1, 1000)
        if rotation:
            stream.set_display_rotation(rotation)
        times = iter(times) if times is not None else (number / RATE for number in range(10**9))
        for pixel_array, time in zip(frames, times, strict=False):
            if not stream.codec_context.is_open:
                stream.height, stream.width = pixel_array.shape[:2]
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixel_array), format="rgb24")
            frame.pts, frame.time_base = round(time * 1000), Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def remux(source: Path, target: Path, change: Callable, extradata: Callable = bytes) -> None:
    """Copy a video's packets; `change(packet)` returns the one to write, or None; `extradata` changes the header."""
    with av.open(str(source)) as read, av.open(str(target), "w") as written:
        stream = written.add_stream_from_template(read.streams.video[0])
        stream.codec_context.extradata = extradata(stream.codec_context.extradata)
        for packet in read.demux(video=0):
            if packet.dts is not None and (packet := change(packet)):
                packet.stream = stream
                written.mux(packet)


def timeline_of(folder: Path) -> dict:
    return json.loads((folder / "timeline.json").read_text("utf-8"))


def names_of(timeline: dict) -> list[str]:
    return [part["class"] for part in timeline["segments"]]

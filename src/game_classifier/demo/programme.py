"""Records a programme as a streamer's day: games and other things after each other, with the true timeline."""

import zlib
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from game_classifier.demo.atari import Recording, play
from game_classifier.demo.background_sources import SOURCES
from game_classifier.demo.play_source import play_screens
from game_classifier.demo.stream_style import StreamStyle
from game_classifier.storage import replacing, write_json

EMULATOR_RATE = 60  # frames a second
UNKNOWN = "unknown"
BREAKS = "breaks"  # stands for a pause among the unknown things
PAUSES = ("STARTING SOON", "BE RIGHT BACK", "JUST CHATTING", "CHOOSE THE NEXT GAME")
SCREENS_A_SECOND = 4  # of a background source
STILL = 3.0  # seconds that a picture of a source without movement stays
KEY_EVERY = 2.0  # seconds between key frames, as streaming sites ask for


@dataclass(frozen=True)
class Programme:
    """What to record; equal settings give equal pictures."""

    games: tuple[str, ...]
    unknown: tuple[str, ...]  # games, background sources or BREAKS that stand for unknown things; none: BREAKS
    segments: int
    seconds: tuple[float, float]  # of a segment, shortest and longest
    unknown_share: float  # of the segments
    width: int
    height: int
    fps: int  # a divisor of EMULATOR_RATE
    style: str  # "plain" or "stream"
    seed: int


@dataclass(frozen=True)
class Part:
    """A segment of the true timeline, in seconds."""

    start: float
    end: float
    name: str  # the class, or UNKNOWN
    shows: str  # the game, the background source, or the text of a pause


def plan(programme: Programme) -> list[Part]:
    """The segments: random games and lengths, no two neighbours alike."""
    random = np.random.default_rng([programme.seed, 1])
    others = programme.unknown or (BREAKS,)
    parts: list[Part] = []
    start = 0.0
    for _ in range(programme.segments):
        before = parts[-1] if parts else None
        unknown = random.random() < programme.unknown_share and not (before and before.name == UNKNOWN)
        choices = [each for each in (others if unknown else programme.games) if not before or each != before.shows]
        shows = str(random.choice(choices))
        if shows == BREAKS:
            shows = str(random.choice(PAUSES))
        frames = round(random.uniform(*programme.seconds) * programme.fps)
        end = round(start + frames / programme.fps, 6)
        parts.append(Part(start, end, UNKNOWN if unknown else shows, shows))
        start = end
    return parts


def record_programme(programme: Programme, path: Path, environments: Path) -> Iterator[Part]:
    """Write the video `path` and its true timeline beside it (.json); yield each segment once it is encoded.

    `environments`: the folder of the background sources' Python environments. Raises SetupError and PlayError of them.
    """
    parts = plan(programme)
    codec = "libx264" if "libx264" in av.codecs_available else "mpeg4"
    options = {"preset": "veryfast", "crf": "23"} if codec == "libx264" else {"qscale": "4"}
    with replacing(path) as temporary, av.open(str(temporary), "w", format="mp4") as container:
        stream = container.add_stream(codec, rate=programme.fps, options=options)
        stream.width, stream.height, stream.pix_fmt = programme.width, programme.height, "yuv420p"
        stream.gop_size = round(KEY_EVERY * programme.fps)
        number = 0
        for part in parts:
            for picture in _pictures(programme, part, parts.index(part), environments):
                frame = av.VideoFrame.from_image(picture)
                frame.pts, frame.time_base = number, Fraction(1, programme.fps)
                container.mux(stream.encode(frame))
                number += 1
            yield part
        container.mux(stream.encode(None))
    write_json(path.with_suffix(".json"), truth(programme, parts))


def truth(programme: Programme, parts: Sequence[Part]) -> dict[str, Any]:
    """The true timeline as JSON, with segments as in timeline.json."""
    segments = [{"start": part.start, "end": part.end, "class": part.name, "shows": part.shows} for part in parts]
    return {"settings": asdict(programme), "segments": segments}


def _pictures(programme: Programme, part: Part, number: int, environments: Path) -> Iterator[Image.Image]:
    """The frames of a segment."""
    random = np.random.default_rng([programme.seed, number, zlib.crc32(part.shows.encode())])
    size = (programme.width, programme.height)
    count = round((part.end - part.start) * programme.fps)
    if part.shows in PAUSES:
        yield from (_pause(part.shows, step / programme.fps, size, number) for step in range(count))
        return
    # One streamer, one layout: each segment draws it from the same seed.
    style = StreamStyle(np.random.default_rng(programme.seed), size) if programme.style == "stream" else None
    every = EMULATOR_RATE // programme.fps
    if part.shows in SOURCES:
        screens = _screens_of_source(part.shows, count, programme.fps, random, environments)
    else:
        recording = Recording(1, count, every, *size, programme.style, programme.seed)
        screens = (screen for _, screen in play(part.shows, recording, random))
    for screen in screens:
        yield style.show(screen)[0] if style else screen.resize(size, Image.Resampling.BILINEAR)


def _screens_of_source(
    name: str, count: int, fps: int, random: np.random.Generator, environments: Path
) -> Iterator[Image.Image]:
    """`count` frames of a game of a background source, which gives some screens a second."""
    source = SOURCES[name]
    still = source.every == 1  # each step is another picture
    hold = round(STILL * fps) if still else max(1, fps // SCREENS_A_SECOND)
    every = max(1, source.every // SCREENS_A_SECOND)  # the source's own distance is about a second
    seeds = np.random.SeedSequence(int(random.integers(2**31)))
    game = str(random.choice(source.games))
    shown = 0
    for screen in play_screens(source, game, -(-count // hold), every, seeds, environments / name):
        for _ in range(min(hold, count - shown)):
            yield screen
            shown += 1


def _pause(text: str, seconds: float, size: tuple[int, int], number: int) -> Image.Image:
    """A screen between two games: a text on a colour that drifts, and dots that move."""
    width, height = size
    hue = int(40 * number + 5 * seconds) % 256
    image = Image.new("HSV", size, (hue, 140, 90)).convert("RGB")
    draw = ImageDraw.Draw(image)
    font = ImageFont.load_default(size=height / 12)
    draw.text((width / 2, height / 2), text, font=font, fill="white", anchor="mm")
    for dot in range(12):
        x = (width * (0.09 * dot + 0.05 * seconds)) % width
        y = height * (0.5 + 0.4 * np.sin(0.8 * seconds + dot))
        draw.ellipse((x - 9, y - 9, x + 9, y + 9), fill="white")
    return image

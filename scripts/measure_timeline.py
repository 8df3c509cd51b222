"""Measure how right src/predict_stream.py is, on programmes of known and unknown games; prints tables in Markdown.

    python scripts/measure_timeline.py -w FILE.pt --record demo/programmes --programmes 5
    python scripts/measure_timeline.py -w FILE.pt --input programme.mp4 other.mp4 --game-length 35

--record makes programmes first, unless they are there: 12 segments of 10 to 60 s of games that the network knows, games
that it does not know, sources of tool/record_backgrounds.py (--unknown) and breaks. --input takes videos of
tool/record_stream.py; VIDEO.json beside each is its true timeline. What a segment shows is right under its own name if
the network knows it, and as unknown otherwise.

"Frames alone" labels each moment by the nearest frame that was looked at. A boundary is missed if there is no change
within 3 s of it, and a change is a false switch if there is no boundary within 3 s.
"""

import json
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import numpy as np

from game_classifier.command import CommandParser, positive, run_command
from game_classifier.console import markdown, percent, progress
from game_classifier.demo.atari import game_names
from game_classifier.demo.background_sources import SOURCES
from game_classifier.demo.environments import SetupError
from game_classifier.demo.play_source import PlayError
from game_classifier.demo.programme import BREAKS, Programme, record_programme
from game_classifier.device import choose_threads
from game_classifier.errors import InputError
from game_classifier.runtime.fastest import fastest_file
from game_classifier.runtime.runner import load_runner
from game_classifier.storage import make_folder, write_json
from game_classifier.timeline.contract import UNKNOWN_NAME, read_timeline
from game_classifier.timeline.follow import Following, follow
from game_classifier.timeline.hmm import Smoothing, log_emissions
from game_classifier.timeline.predict_video import Sampling, VideoPredictor
from game_classifier.timeline.region import load_region
from game_classifier.timeline.source import Source

STEP = 0.05  # seconds between the moments that are compared
NEAR = 3.0  # seconds between a boundary and its change, at most
INTERVALS = (1.0, 2.0, 5.0)
SEGMENTS, SECONDS, UNKNOWN_SHARE = 12, (10.0, 60.0), 0.35


def main() -> None:
    """Parse; record what is missing; measure."""
    parser = CommandParser(__doc__)
    add = parser.add_argument
    add("-w", "--weights", type=Path, required=True, help="deployed file or checkpoint with a `known` score")
    add("--input", type=Path, nargs="+", default=[], metavar="VIDEO", help="programmes of tool/record_stream.py")
    add("--record", type=Path, metavar="FOLDER", help="record programmes into this folder and measure them")
    add("--programmes", type=positive, default=5, help="number of programmes to record (default: %(default)s)")
    add(
        "--unknown",
        nargs="+",
        default=["desktop", BREAKS],
        metavar="NAME",
        help="of recorded programmes: what else is unknown, besides games that the network does not know (default:"
        " desktop breaks)",
    )
    add(
        "--environments",
        type=Path,
        default=Path("demo/background_envs"),
        help="folder for the sources' Python environments (default: %(default)s)",
    )
    add("--size", type=positive, nargs=2, default=(1280, 720), help="of recorded programmes (default: 1280 720)")
    add("--fps", type=positive, default=30, help="of recorded programmes, a divisor of 60 (default: %(default)s)")
    add("--game-length", type=float, default=1200.0, help="seconds, as of src/predict_stream.py (default: %(default)s)")
    add("--refuse", type=float, help="as of src/predict_stream.py")
    add("--region", type=Path, metavar="DETECTOR", help="as of src/predict_stream.py")
    add("--json", type=Path, help="also write the figures into this file")
    arguments = parser.parse_args()
    if not arguments.input and not arguments.record:
        raise InputError("give videos with --input, or a folder for new ones with --record")
    if arguments.json and not arguments.json.parent.is_dir():  # an error here comes before the work, not after it
        raise InputError(f"{arguments.json.parent}: no such folder; choose an existing folder for --json")
    runner = load_runner(fastest_file(arguments.weights, "cpu"))
    region = load_region(arguments.region) if arguments.region else None
    videos = list(arguments.input)
    if arguments.record:
        videos += record(arguments, runner.class_names)
    truths = [true_segments(video, runner.class_names) for video in videos]
    print(f"{runner}, {choose_threads(None)} threads" + (f"; region: {region.runner}" if region else ""))
    describe(truths)
    smoothing = Smoothing(game_length=arguments.game_length)
    figures = []
    for interval in INTERVALS:
        sampling = Sampling(interval, "exact")
        predictor = VideoPredictor(runner, choose_threads(None), sampling, smoothing, arguments.refuse, region)
        figures.append(measure(predictor, videos, truths))
    show(figures)
    if arguments.json:
        write_json(arguments.json, figures)
    print(f"\nOne reading of {videos[0].name}, every 2 s:\n", flush=True)
    bench = Path(__file__).with_name("bench_timeline.py")
    options = ["-w", arguments.weights, "--input", videos[0], *(["--region", arguments.region] if region else [])]
    subprocess.run([sys.executable, bench, *options], check=True)


def record(arguments, class_names: tuple[str, ...]) -> list[Path]:
    """Record the programmes that are missing; their seeds are 0, 1, 2 ..."""
    known = tuple(name for name in game_names() if name in class_names)
    others = tuple(name for name in game_names() if name not in class_names)
    if len(known) < 2:
        raise InputError(
            f"{arguments.weights}: knows fewer than two games that ale-py can play; give videos with --input"
        )
    if wrong := sorted(set(arguments.unknown) - {*SOURCES, BREAKS, *others}):
        raise InputError(
            f"--unknown {wrong[0]}: give games that the network does not know, {BREAKS} or {', '.join(SOURCES)}"
        )
    if 60 % arguments.fps:
        raise InputError(f"--fps {arguments.fps}: give a divisor of 60, such as 30")
    unknown = (*others, *arguments.unknown * max(1, len(others) // len(arguments.unknown)))  # half of them games
    width, height = arguments.size
    make_folder(arguments.record)
    videos = []
    for seed in range(arguments.programmes):
        video = arguments.record / f"programme_{seed}.mp4"
        videos.append(video)
        if video.with_suffix(".json").exists():
            continue
        programme = Programme(
            known, unknown, SEGMENTS, SECONDS, UNKNOWN_SHARE, width, height, arguments.fps, "stream", seed
        )
        with progress(total=SEGMENTS, unit="segment", desc=video.name) as bar:
            try:
                for _ in record_programme(programme, video, arguments.environments):
                    bar.update()
            except (SetupError, PlayError) as error:
                raise InputError(f"--unknown: {error}") from None
    return videos


def true_segments(video: Path, class_names: tuple[str, ...]) -> list[dict]:
    """The true timeline beside `video`, under the names that are right for this network."""
    path = video.with_suffix(".json")
    try:
        segments = json.loads(path.read_text(encoding="utf-8"))["segments"]
        return [part | {"class": part["shows"] if part["shows"] in class_names else UNKNOWN_NAME} for part in segments]
    except (OSError, ValueError, KeyError, TypeError):
        raise InputError(
            f"{path}: no true timeline of {video.name}; tool/record_stream.py writes it beside the video"
        ) from None


@dataclass
class _Sums:
    """What is added up over the programmes."""

    unknown: list[np.ndarray] = field(default_factory=list)
    right: dict[str, list[np.ndarray]] = field(
        default_factory=lambda: {"over time": [], "frames alone": [], "live": []}
    )
    errors: list[float] = field(default_factory=list)  # seconds, of each boundary
    live_errors: list[float] = field(default_factory=list)
    false: int = 0
    live_false: int = 0
    delays: list[float] = field(default_factory=list)
    seconds: float = 0.0


def measure(predictor: VideoPredictor, videos: list[Path], truths: list[list[dict]]) -> dict[str, float]:
    """How right the timelines of all videos are."""
    interval = predictor.sampling.interval
    sums = _Sums()
    for video, true in zip(progress(videos, desc=f"every {interval:g} s"), truths, strict=True):
        source = Source(str(video.absolute()))
        with tempfile.TemporaryDirectory() as folder:
            predictor.predict(source, Path(folder))
            timeline = read_timeline(Path(folder))
            rows = np.load(Path(folder) / "timeline.npy")
            told: list[dict] = []
            follow(predictor, source, Path(folder), Following(patience=0), told.append)
            live = read_timeline(Path(folder))["segments"]
        moments = np.arange(STEP / 2, true[-1]["end"], STEP)
        names = names_at(true, moments)
        sums.unknown.append(names == UNKNOWN_NAME)
        sums.right["over time"].append(names_at(timeline["segments"], moments) == names)
        sums.right["live"].append(names_at(live, moments) == names)
        alone = names_of_frames(rows, timeline["class_names"], moments, predictor.smoothing)
        sums.right["frames alone"].append(alone == names)
        errors, false = compare_changes(true, timeline["segments"])
        sums.errors += errors
        sums.false += false
        errors, false = compare_changes(true, live)
        sums.live_errors += errors
        sums.live_false += false
        sums.delays += [event["delay"] for event in told if event["event"] == "change"]
        sums.seconds += true[-1]["end"]
    return figures_of(sums, interval)


def figures_of(sums: _Sums, interval: float) -> dict[str, float]:
    """Shares of 0..1, seconds, and counts an hour."""
    unknown = np.concatenate(sums.unknown)
    figures: dict[str, float] = {"interval": interval, "seconds": sums.seconds}
    for way, parts in sums.right.items():
        right = np.concatenate(parts)
        figures[f"{way}, known"] = mean(right[~unknown])
        figures[f"{way}, unknown"] = mean(right[unknown])
    for way, errors, false in (("", sums.errors, sums.false), ("live ", sums.live_errors, sums.live_false)):
        near = [error for error in errors if error <= NEAR]
        figures[f"{way}boundary median"] = float(np.median(near)) if near else np.nan
        figures[f"{way}boundary 95%"] = float(np.percentile(near, 95)) if near else np.nan
        figures[f"{way}boundaries missed"] = len(errors) - len(near)
        figures[f"{way}boundaries"] = len(errors)
        figures[f"{way}false an hour"] = false * 3600 / sums.seconds
    figures["live delay median"] = float(np.median(sums.delays)) if sums.delays else np.nan
    return figures


def mean(values: np.ndarray) -> float:
    """The mean; NaN of nothing."""
    return float(values.mean()) if len(values) else float("nan")


def names_at(segments: list[dict], moments: np.ndarray) -> np.ndarray:
    """The class of each moment; "" in gaps."""
    names = np.full(len(moments), "", dtype=object)
    for part in segments:
        names[(moments >= part["start"]) & (moments < part["end"])] = part["class"]
    return names


def names_of_frames(rows: np.ndarray, class_names: list[str], moments: np.ndarray, smoothing: Smoothing) -> np.ndarray:
    """The class of each moment by its nearest frame alone, with the same `known` threshold as the timeline."""
    rows = rows[rows["status"] == 0]
    known = None if np.isnan(rows["known"]).any() else rows["known"]
    states = log_emissions(rows["probs"], known, smoothing).argmax(1)
    nearest = np.abs(rows["time"][None] - moments[:, None]).argmin(1)
    return np.array([*class_names, UNKNOWN_NAME], dtype=object)[states[nearest]]


def compare_changes(true: list[dict], found: list[dict]) -> tuple[list[float], int]:
    """(distance of each true boundary to the nearest change, in seconds; number of false switches)."""
    truth, changes = (
        np.array([other["start"] for one, other in pairwise(segments) if one["class"] != other["class"]])
        for segments in (true, found)
    )
    distances = np.abs(truth[:, None] - changes[None])
    return distances.min(1, initial=np.inf).tolist(), int((distances.min(0, initial=np.inf) > NEAR).sum())


def describe(truths: list[list[dict]]) -> None:
    """Print what the programmes hold."""
    parts = [part for segments in truths for part in segments]
    unknown = [part for part in parts if part["class"] == UNKNOWN_NAME]
    seconds, unknown_seconds = (sum(part["end"] - part["start"] for part in each) for each in (parts, unknown))
    print(
        f"{len(truths)} programmes, {len(parts)} segments, {seconds:.0f} s; unknown: {len(unknown)} segments,"
        f" {unknown_seconds:.0f} s ({', '.join(sorted({part['shows'] for part in unknown})) or 'none'})\n"
    )


def show(figures: list[dict[str, float]]) -> None:
    """Print the tables of `measure`."""
    ways = ("over time", "frames alone", "live")
    header = ["frames", *(f"{way}, {kind}" for way in ways for kind in ("known", "unknown"))]
    cells = [[f"every {each['interval']:g} s", *(f"{percent(each[name])}%" for name in header[1:])] for each in figures]
    print(markdown(header, cells))
    header = ["frames", "", "boundary median", "95%", "missed", "false switches an hour", "delay"]
    cells = []
    for each in figures:
        for way, name in (("", "offline"), ("live ", "live")):
            errors = [f"{each[f'{way}boundary {part}']:.2f} s" for part in ("median", "95%")]
            missed = f"{each[f'{way}boundaries missed']} of {each[f'{way}boundaries']}"
            delay = f"{each['live delay median']:.1f} s" if way else ""
            false = f"{each[f'{way}false an hour']:.1f}"
            cells.append([f"every {each['interval']:g} s", name, *errors, missed, false, delay])
    print("\n" + markdown(header, cells))


if __name__ == "__main__":
    run_command(main)

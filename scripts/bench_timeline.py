"""Measure src/predict_stream.py on programmes of tool/record_stream.py: how right, how exact, how fast, its memory.

    python scripts/bench_timeline.py -w FILE.pt --input programme.mp4 other.mp4
    python scripts/bench_timeline.py -w FILE.pt --input programme.mp4 --hours 10      # speed and memory of a long video

Beside each VIDEO.mp4 stands its true timeline, VIDEO.json. "Frames alone" labels each moment by the nearest frame. A
false switch is a change that is further than 3 s from every true one. The live column follows the same files as a
stream. "On free processors" is computed from the processors' time: what a machine gives that does nothing else.
"""

import json
import resource
import tempfile
import time
from itertools import pairwise
from pathlib import Path

import av
import numpy as np

from game_classifier.command import CommandParser, positive, run_command
from game_classifier.console import percent, table
from game_classifier.device import choose_threads
from game_classifier.errors import InputError
from game_classifier.runtime.fastest import fastest_file
from game_classifier.runtime.runner import Runner, load_runner
from game_classifier.storage import write_json
from game_classifier.timeline.answers import BATCH_SIZE, Sample
from game_classifier.timeline.clock import Clock
from game_classifier.timeline.contract import UNKNOWN_NAME, read_timeline
from game_classifier.timeline.decode import look_at
from game_classifier.timeline.follow import Following, follow
from game_classifier.timeline.hmm import Smoothing, log_emissions
from game_classifier.timeline.packets import Piece, read_pieces
from game_classifier.timeline.predict_video import Sampling, VideoPredictor
from game_classifier.timeline.reading import LONGEST_PIECE, read_video
from game_classifier.timeline.sampling import GridSampler
from game_classifier.timeline.source import Source

STEP = 0.05  # seconds between the moments that are compared
NEAR = 3.0  # seconds: a change further from every true one is a false switch
INTERVALS = (1.0, 2.0, 5.0)


def main() -> None:
    """Parse; measure programmes, or one long video."""
    parser = CommandParser(__doc__)
    add = parser.add_argument
    add("-w", "--weights", type=Path, required=True, help="deployed file or checkpoint")
    add("--input", type=Path, nargs="+", required=True, metavar="VIDEO", help="programmes of tool/record_stream.py")
    add("--game-length", type=float, default=1200.0, help="seconds, as of src/predict_stream.py (default: %(default)s)")
    add("--hours", type=positive, help="only run the first video, looped to this length, and measure the memory")
    add("--json", type=Path, help="also write the results into this file")
    arguments = parser.parse_args()
    if arguments.json and not arguments.json.parent.is_dir():  # an error here comes before the work, not after it
        raise InputError(f"{arguments.json.parent}: no such folder; choose an existing folder for --json")
    weights = arguments.weights
    runner = load_runner(fastest_file(weights, "cpu") if weights.suffix == ".pt" else weights)
    print(f"{runner}, {choose_threads(None)} threads")
    smoothing = Smoothing(game_length=arguments.game_length)
    if arguments.hours:
        figures = long_runs(runner, arguments.input[0], arguments.hours, smoothing)
        print(table("Long video", ["", "Value"], [[name, f"{value:.1f}"] for name, value in figures.items()]))
    else:
        figures = [measure(runner, arguments.input, interval, smoothing) for interval in INTERVALS]
        show(figures)
        figures.append(speeds(runner, arguments.input[0].absolute()))
        print(table("One reading", ["", "Value"], [[name, f"{value:.1f}"] for name, value in figures[-1].items()]))
    if arguments.json:
        write_json(arguments.json, figures)


def measure(runner: Runner, videos: list[Path], interval: float, smoothing: Smoothing) -> dict[str, float]:
    """How right the timelines of all videos are at one interval."""
    predictor = VideoPredictor(runner, choose_threads(None), Sampling(interval, "exact"), smoothing)
    right: dict[str, list[np.ndarray]] = {"time": [], "frames": [], "live": [], "unknown": []}
    errors, false, seconds, delays = [], 0, 0.0, []
    for video in videos:
        true = json.loads(video.with_suffix(".json").read_text(encoding="utf-8"))["segments"]
        with tempfile.TemporaryDirectory() as folder:
            predictor.predict(Source(str(video.absolute())), Path(folder))
            timeline = read_timeline(Path(folder))
            rows = np.load(Path(folder) / "timeline.npy")
            told: list[dict] = []
            follow(predictor, Source(str(video.absolute())), Path(folder), Following(patience=0), told.append)
            live = read_timeline(Path(folder))["segments"]
        delays += [event["delay"] for event in told if event["event"] == "change"]
        moments = np.arange(STEP / 2, true[-1]["end"], STEP)
        names = names_at(true, moments)
        right["unknown"].append(names == UNKNOWN_NAME)
        right["time"].append(names_at(timeline["segments"], moments) == names)
        right["live"].append(names_at(live, moments) == names)
        right["frames"].append(names_of_frames(rows, timeline["class_names"], moments, smoothing) == names)
        near, wrong = compare_changes(true, timeline["segments"])
        errors += near
        false += wrong
        seconds += true[-1]["end"]
    joined = {name: np.concatenate(values) for name, values in right.items()}
    unknown = joined.pop("unknown")
    shares = {}
    for name, values in joined.items():
        shares[f"{name} known"] = mean(values[~unknown])
        shares[f"{name} {UNKNOWN_NAME}"] = mean(values[unknown])
    return shares | {
        "interval": interval,
        "boundary median": float(np.median(errors)) if errors else np.nan,
        "boundary 95%": float(np.percentile(errors, 95)) if errors else np.nan,
        "boundaries": len(errors),
        "false an hour": false * 3600 / seconds,
        "seconds": seconds,
        "live delay": float(np.median(delays)),
    }


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
    """The class of each moment by its nearest frame alone, with the same emissions as the timeline."""
    rows = rows[rows["status"] == 0]
    known = None if np.isnan(rows["known"]).any() else rows["known"]
    states = log_emissions(rows["probs"], known, smoothing).argmax(1)
    nearest = np.abs(rows["time"][None] - moments[:, None]).argmin(1)
    return np.array([*class_names, UNKNOWN_NAME], dtype=object)[states[nearest]]


def compare_changes(true: list[dict], found: list[dict]) -> tuple[list[float], int]:
    """(distance of each true boundary to the nearest found one if that is near, number of false switches)."""
    truth = np.array([other["start"] for one, other in pairwise(true) if one["class"] != other["class"]])
    changes = np.array([other["start"] for one, other in pairwise(found) if one["class"] != other["class"]])
    if not len(changes) or not len(truth):
        return [], len(changes)
    distances = np.abs(truth[:, None] - changes[None])
    near = distances.min(1)
    return near[near <= NEAR].tolist(), int((distances.min(0) > NEAR).sum())


def show(figures: list[dict[str, float]]) -> None:
    """Print the table of `measure`."""
    header = [
        "Interval",
        "Right, known",
        "Unknown",
        "Frames alone",
        "Unknown",
        "Live, known",
        "Median s",
        "95% s",
        "False/h",
        "Live delay",
    ]
    cells = []
    for each in figures:
        shares = [f"{way} {kind}" for way in ("time", "frames") for kind in ("known", UNKNOWN_NAME)] + ["live known"]
        cells.append([f"{each['interval']:g} s", *(percent(each[share]) for share in shares)])
        cells[-1] += [
            f"{each[name]:.2f}" for name in ("boundary median", "boundary 95%", "false an hour", "live delay")
        ]
    print(table("Share of time labelled right, and boundaries", header, cells))


def speeds(runner: Runner, video: Path) -> dict[str, float]:
    """Seconds of video for each second of one reading, every 2 s, and the share of the processors' time in decoding."""
    threads = choose_threads(None)
    workers = runner.workers(threads, BATCH_SIZE)
    figures: dict[str, float] = {"every frame decoded: on free processors": decode_all(video)}
    seen: list[Sample] = []
    for frames in ("key", "auto", "exact"):
        read_video(Source(str(video)), GridSampler(2.0, frames), workers, runner.preprocessing, seen.append)  # warms up
        start, used = time.perf_counter(), time.process_time()
        length = read_video(
            Source(str(video)), GridSampler(2.0, frames), workers, runner.preprocessing, seen.append
        ).end
        took, used = time.perf_counter() - start, time.process_time() - used
        figures[f"{frames}: times real time"] = length / took
        figures[f"{frames}: on free processors"] = threads * length / used
        figures[f"{frames}: percent of it decoding"] = 100 * decode_alone(video, frames) / used
    return figures


def decode_alone(video: Path, frames: str) -> float:
    """Processor seconds of reading the packets and decoding the frames that are looked at."""
    start = time.process_time()
    with av.open(str(video)) as container:
        stream = container.streams.video[0]
        for piece in read_pieces(container, stream, Clock(30.0), GridSampler(2.0, frames), LONGEST_PIECE):
            if isinstance(piece, Piece):
                look_at(piece)
    return time.process_time() - start


def long_runs(runner: Runner, video: Path, hours: int, smoothing: Smoothing) -> dict[str, float]:
    """Speed and memory of a video that is repeated to some hours without encoding it again."""
    figures: dict[str, float] = {"decoding alone, every frame: times real time": decode_all(video)}
    with tempfile.TemporaryDirectory() as folder:
        looped = Path(folder) / "long.mp4"
        repeat(video, looped, hours * 3600.0)
        for frames in ("key", "auto", "exact"):
            predictor = VideoPredictor(runner, choose_threads(None), Sampling(2.0, frames), smoothing)
            predictor.predict(Source(str(video.absolute())), Path(folder) / "short")  # warms up
            before = peak_memory()
            start, used = time.perf_counter(), time.process_time()
            predictor.predict(Source(str(looped)), Path(folder) / "long")
            took, used = time.perf_counter() - start, time.process_time() - used
            length = read_timeline(Path(folder) / "long")["duration"]
            figures |= {
                f"{frames}: times real time": length / took,
                f"{frames}: on free processors": length / used * choose_threads(None),
                f"{frames}: MB before": before,
                f"{frames}: MB after": peak_memory(),
            }
    return figures


def peak_memory() -> float:
    """The most memory that this process ever held, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def decode_all(video: Path) -> float:
    """Seconds of video for each second, when all processors decode every frame and do nothing else."""
    with av.open(str(video)) as container:
        stream = container.streams.video[0]
        stream.codec_context.thread_count = 1
        start = time.process_time()
        count = sum(1 for _ in container.decode(stream))
        return choose_threads(None) * count / float(stream.average_rate) / (time.process_time() - start)


def repeat(video: Path, target: Path, seconds: float) -> None:
    """Copy the packets of `video` again and again, with rising timestamps."""
    with av.open(str(target), "w") as written:
        stream, offset = None, 0
        while True:
            with av.open(str(video)) as read:
                source = read.streams.video[0]
                stream = stream or written.add_stream_from_template(source)
                end = 0
                for packet in read.demux(source):
                    if packet.dts is None:
                        continue
                    end = max(end, packet.pts + (packet.duration or 0))
                    packet.pts, packet.dts = packet.pts + offset, packet.dts + offset
                    packet.stream = stream
                    written.mux(packet)
                offset += end
                if offset * float(source.time_base) >= seconds:
                    return


if __name__ == "__main__":
    run_command(main)

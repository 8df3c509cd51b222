"""Measure the speed of src/predict_stream.py, and its memory over hours.

    python scripts/bench_timeline.py -w FILE.pt --input video.mp4
    python scripts/bench_timeline.py -w FILE.pt --input video.mp4 --hours 10      # the video again and again

"On free processors" is computed from the processors' time: what a machine gives that does nothing else.
scripts/measure_timeline.py measures how right timelines are.
"""

import resource
import tempfile
import threading
import time
from pathlib import Path

import av
import numpy as np

from game_classifier.command import CommandParser, positive, run_command
from game_classifier.console import markdown
from game_classifier.device import choose_threads
from game_classifier.errors import InputError
from game_classifier.runtime.fastest import fastest_file
from game_classifier.runtime.runner import Runner, load_runner
from game_classifier.storage import write_json
from game_classifier.timeline.answers import Sample
from game_classifier.timeline.clock import Clock
from game_classifier.timeline.contract import read_timeline
from game_classifier.timeline.decode import look_at
from game_classifier.timeline.hmm import Smoothing
from game_classifier.timeline.packets import Piece, read_pieces
from game_classifier.timeline.predict_video import Sampling, VideoPredictor
from game_classifier.timeline.reading import LONGEST_PIECE, read_video
from game_classifier.timeline.region import Region, load_region
from game_classifier.timeline.sampling import FRAMES, GridSampler
from game_classifier.timeline.source import Source

SECONDS_BETWEEN_LOOKS = 0.1
POINTS = 10  # of a long video, at which the memory is told


def main() -> None:
    """Parse; measure one reading, or a long video."""
    parser = CommandParser(__doc__)
    add = parser.add_argument
    add("-w", "--weights", type=Path, required=True, help="deployed file or checkpoint")
    add("--input", type=Path, required=True, metavar="VIDEO", help="video to read")
    add("--hours", type=positive, help="repeat the video to this length, and measure the memory")
    add("--frames", choices=FRAMES, default="key", help="of a long video, as of src/predict_stream.py (default: key)")
    add("--region", type=Path, metavar="DETECTOR", help="as of src/predict_stream.py")
    add("--json", type=Path, help="also write the figures into this file")
    arguments = parser.parse_args()
    if arguments.json and not arguments.json.parent.is_dir():  # an error here comes before the work, not after it
        raise InputError(f"{arguments.json.parent}: no such folder; choose an existing folder for --json")
    runner = load_runner(fastest_file(arguments.weights, "cpu"))
    region = load_region(arguments.region) if arguments.region else None
    print(f"{runner}, {choose_threads(None)} threads" + (f"; region: {region.runner}" if region else ""))
    video = arguments.input.absolute()
    if arguments.hours:
        figures = long_run(runner, region, video, arguments.hours, arguments.frames)
    else:
        figures = one_reading(runner, region, video)
    print(markdown(["", "value"], [[name, f"{value:.1f}"] for name, value in figures.items()]))
    if arguments.json:
        write_json(arguments.json, figures)


def one_reading(runner: Runner, region: Region | None, video: Path) -> dict[str, float]:
    """Seconds of video for each second of one reading, every 2 s, and what the processors' time goes into."""
    threads = choose_threads(None)
    workers = VideoPredictor(runner, threads, Sampling(), Smoothing(), region=region).workers
    seen: list[Sample] = []
    figures: dict[str, float] = {"every frame decoded: times real time on free processors": decode_all(video)}
    for frames in ("key", "auto", "exact"):
        read_video(Source(str(video)), GridSampler(2.0, frames), workers, runner.preprocessing, seen.append)  # warms up
        start, used = time.perf_counter(), time.process_time()
        reading = read_video(Source(str(video)), GridSampler(2.0, frames), workers, runner.preprocessing, seen.append)
        took, used = time.perf_counter() - start, time.process_time() - used
        packets, decoding = decode_alone(video, frames)
        figures |= {
            f"{frames}: times real time": reading.end / took,
            f"{frames}: times real time on free processors": threads * reading.end / used,
            f"{frames}: percent of the work in reading packets": 100 * packets / used,
            f"{frames}: percent of the work in decoding": 100 * decoding / used,
        }
    return figures


def decode_alone(video: Path, frames: str) -> tuple[float, float]:
    """Processor seconds of reading the packets, and of decoding the frames that are looked at."""
    start = time.process_time()
    with av.open(str(video)) as container:
        stream = container.streams.video[0]
        read = list(read_pieces(container, stream, Clock(30.0), GridSampler(2.0, frames), LONGEST_PIECE))
    packets = time.process_time() - start
    for piece in read:
        if isinstance(piece, Piece):
            look_at(piece)
    return packets, time.process_time() - start - packets


def long_run(runner: Runner, region: Region | None, video: Path, hours: int, frames: str) -> dict[str, float]:
    """Speed and memory of a video that is repeated to some hours without encoding it again."""
    predictor = VideoPredictor(runner, choose_threads(None), Sampling(2.0, frames), Smoothing(), region=region)
    with tempfile.TemporaryDirectory() as folder:
        looped = Path(folder) / "long.mp4"
        repeat(video, looped, hours * 3600.0)
        predictor.predict(Source(str(video)), Path(folder) / "short")  # warms up
        held: list[float] = [memory()]
        ended = threading.Event()
        watch = threading.Thread(target=_watch, args=(held, ended))
        watch.start()
        start, used = time.perf_counter(), time.process_time()
        predictor.predict(Source(str(looped)), Path(folder) / "long")
        took, used = time.perf_counter() - start, time.process_time() - used
        ended.set()
        watch.join()
        length = read_timeline(Path(folder) / "long")["duration"]
        samples = len(np.load(Path(folder) / "long" / "timeline.npy", mmap_mode="r"))
    figures = {"hours": length / 3600, "samples": float(samples)}
    figures |= {"times real time": length / took, "on free processors": length / used * choose_threads(None)}
    figures["MB held before"] = held[0]
    for number in range(1, POINTS + 1):
        figures[f"MB held at {100 * number // POINTS}%"] = held[(len(held) - 1) * number // POINTS]
    figures["MB held at most"] = max(held)
    return figures


def _watch(held: list[float], ended: threading.Event) -> None:
    while not ended.wait(SECONDS_BETWEEN_LOOKS):
        held.append(memory())


def memory() -> float:
    """What this process holds in memory, in MB."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * resource.getpagesize() / 2**20


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

"""Find out which game a video or a live stream shows from when to when.

    python src/predict_stream.py -w FILE.pt --input recording.mp4 --save timeline
    python src/predict_stream.py -w FILE.pt --input recordings/ --save timelines
    python src/predict_stream.py -w FILE.pt --input rtmp://host/live/stream --save timeline
    ffmpeg -i ... -f mpegts - | python src/predict_stream.py -w FILE.pt --input - --save timeline

Writes SAVE/timeline.json, .csv, .vtt (chapters for players), .npy (the answer for each frame) and timeline.html. A
folder of videos, or a list with the path of one in each line (*.txt), gets SAVE/VIDEO/timeline.json and so on; finished
ones are not made again. A stream and a pipe are followed: each change is printed as a line of JSON some seconds later.
"""

import argparse
import re
import sys
import time
from pathlib import Path

from game_classifier.command import CommandParser, positive, run_command
from game_classifier.device import choose_threads
from game_classifier.models.refusals import require_rate
from game_classifier.runtime.fastest import fastest_file
from game_classifier.timeline.contract import lines, read_timeline
from game_classifier.timeline.find_videos import find_videos, is_many
from game_classifier.timeline.follow import Following, follow, tell_in_lines
from game_classifier.timeline.hmm import Smoothing
from game_classifier.timeline.predict_video import Sampling, VideoPredictor
from game_classifier.timeline.predict_videos import Job, Outcome, predict_videos, predict_videos_with_ray
from game_classifier.timeline.sampling import FRAMES
from game_classifier.timeline.source import Source, is_live

UNITS = {"": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0}


def main() -> int:
    """Parse; make one timeline, many, or follow a stream; status 1 when a video of many could not be read."""
    arguments = make_parser().parse_args()
    if arguments.refuse is not None:
        require_rate(arguments.refuse)
    sampling = Sampling(arguments.interval, arguments.frames)
    smoothing = Smoothing(game_length=arguments.game_length)
    weights, region = arguments.weights.absolute(), arguments.region and arguments.region.absolute()
    if arguments.runtime == "auto" and arguments.precision == "auto":
        weights, region = fastest_file(weights, "auto"), region and fastest_file(region, "auto")
    threads = choose_threads(arguments.threads)
    job = Job(weights, arguments.precision, threads, sampling, smoothing, arguments.refuse, region)
    predictor = job.make_predictor()  # with Ray too: what is wrong with a file is told here, not by a worker
    save = arguments.save.absolute()
    videos = find_videos(Path(arguments.input).absolute()) if is_many(Path(arguments.input)) else {}
    if videos and arguments.engine == "ray":
        return report(predict_videos_with_ray(videos, save, job), save)
    if videos:
        return report(predict_videos(videos, save, predictor), save)
    predict_one(arguments, predictor, save)
    return 0


def make_parser() -> CommandParser:
    """The options."""
    parser = CommandParser(__doc__)
    add = parser.add_argument
    add("-w", "--weights", type=Path, required=True, help="deployed file (.pt, .onnx, .xml) or checkpoint (.pth)")
    add("--input", required=True, help="video, folder or list of videos, URL, or - for standard input")
    add("--save", type=Path, required=True, metavar="FOLDER", help="folder for the timeline")
    add(
        "--interval",
        type=seconds,
        default=2.0,
        metavar="TIME",
        help="time between two frames that are looked at, such as 2, 0.5 or 1m (default: 2 s)",
    )
    add(
        "--frames",
        choices=FRAMES,
        default="auto",
        help="auto: key frames where there is one for each interval, others elsewhere; key: only key frames, which is"
        " faster; exact: the frames at whole intervals (default: auto)",
    )
    add(
        "--game-length",
        type=seconds,
        default=1200.0,
        metavar="TIME",
        help="how long a game lasts on average, such as 20m; the longer, the fewer changes (default: 20m)",
    )
    add(
        "--refuse",
        type=float,
        metavar="RATE",
        help="share of frames of known games that may look unknown, 0 to 0.5; the higher, the more is called unknown"
        " (default: 0.02)",
    )
    add(
        "--region",
        type=Path,
        metavar="DETECTOR",
        help="deployed file or checkpoint of a detector with a class `game`: each frame is cut to its box first;"
        " --precision and --runtime hold for it too",
    )
    add("--lag", type=seconds, default=10.0, metavar="TIME", help="of a stream: time until a decision (default: 10 s)")
    add(
        "--time-limit",
        type=seconds,
        default=20.0,
        metavar="TIME",
        help="of a URL: how long it may take to answer (default: 20 s)",
    )
    add(
        "--reconnect",
        type=seconds,
        default=300.0,
        metavar="TIME",
        help="of a stream: how long to try again after the connection was lost (default: 5m)",
    )
    add("--threads", type=positive, help="number of threads (default: one for each processor)")
    add("--precision", choices=("auto", "fp32", "bf16"), default="auto", help="as of src/predict_repvgg.py")
    add("--runtime", choices=("auto", "file"), default="auto", help="as of src/predict_repvgg.py")
    add("--engine", choices=("local", "ray"), default="local", help="of many videos; as of src/predict_repvgg.py")
    return parser


def seconds(text: str) -> float:
    """An argument type: a time such as 2, 0.5s, 20m or 1h, in seconds."""
    match = re.fullmatch(r"(\d+\.?\d*|\.\d+)([smh]?)", text)
    value = float(match[1]) * UNITS[match[2]] if match else 0.0
    if value < 0.01:
        raise argparse.ArgumentTypeError(f"{text!r} is not a time such as 2, 0.5s, 20m or 1h")
    return value


def predict_one(arguments: argparse.Namespace, predictor: VideoPredictor, save: Path) -> None:
    """The timeline of a file, or of what has no known end."""
    name = arguments.input
    source = Source(name, arguments.time_limit)
    if not (source.is_pipe or source.is_url):
        source = Source(str(Path(name).absolute()))
    elif source.is_pipe or is_live(source):
        follow(predictor, source, save, Following(arguments.lag, arguments.reconnect), tell_in_lines)
        return
    start = time.perf_counter()
    made = predictor.predict(source, save)
    took = time.perf_counter() - start
    timeline = read_timeline(save)
    print("\n".join(lines(timeline)))
    if made:
        print(
            f"{timeline['duration']:.0f} s of video in {took:.1f} s, {timeline['duration'] / took:.0f} times real time"
        )
    else:
        print("the timeline was already finished and is kept")
    print(f"written: {save}/timeline.html, .json, .csv, .vtt, .npy")


def report(outcome: Outcome, save: Path) -> int:
    """Print what became of many videos; 1 if one could not be read."""
    for complaint in outcome.complaints:
        print(f"error: {complaint}", file=sys.stderr)
    kept = f"; {outcome.kept} were already finished and are kept" if outcome.kept else ""
    print(f"{outcome.made} timelines made{kept}; {len(outcome.complaints)} videos could not be read")
    print(f"written: {save}/VIDEO/timeline.html, .json, .csv, .vtt, .npy")
    return 1 if outcome.complaints else 0


if __name__ == "__main__":
    run_command(main)

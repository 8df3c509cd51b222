"""Measure batch prediction of detectors from image files to box files, beside ultralytics' predict.

    python scripts/bench_boxes.py -w CONVERTED/yolov5n_detector_openvino_int8.xml --input datasets/val.txt
    python scripts/bench_boxes.py -w A.xml A.pth --input LIST --ultralytics OTHER_ENVIRONMENT/bin/python

"ours" writes LIST.npy and LIST.boxes.npy. ultralytics runs in the environment that you name, as a program of its own:
it is not part of this project, and its licence is the AGPL. It predicts the same frames at the same size with the same
thresholds, as PyTorch, OpenVINO and OpenVINO INT8 (which needs nncf there), with each --ultralytics-batch. Its network
has random weights and as many classes, unless --ultralytics-model names a .pt file. With random weights hardly a box
passes the least score, in theirs and ours alike, so NMS costs nothing; --least-score 0.001 shows what it costs.
All runs take turns. The first round does not count, and the script prints the medians of the others. Loading, exporting
and compiling are not timed. The limit of ours is the time of decoding alone plus that of the network alone, each on all
processors.
"""

import contextlib
import functools
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from game_classifier.command import CommandParser, positive, run_command
from game_classifier.compare.other_program import OtherProgram
from game_classifier.compare.prediction_parts import decoding, end_to_end, network_alone
from game_classifier.device import choose_threads
from game_classifier.errors import InputError
from game_classifier.lists.filelist import MAX_CLASSES, FileList, read_file_list
from game_classifier.predict.predict_list import Predictor
from game_classifier.runtime.runner import Runner, load_runner
from game_classifier.storage import write_json
from game_classifier.tasks.choose import task_of
from game_classifier.tasks.detection.nms import MOST, OVERLAP

PROGRAM = Path(__file__).with_name("run_ultralytics.py")
FORMS = ("PyTorch", "OpenVINO", "OpenVINO INT8")
DETECTOR = "_detector"  # the end of our networks' names


def main() -> None:
    """Parse, load everything, measure, print."""
    parser = CommandParser(__doc__)
    add = parser.add_argument
    add("-w", "--weights", type=Path, nargs="+", required=True, help="detectors: deployed files or checkpoints (.pth)")
    add("--input", type=Path, required=True, help="list of frames")
    add("--frames", type=positive, help="only this many frames of the list (default: all)")
    add("--rounds", type=positive, default=5, help="rounds that count (default: %(default)s)")
    add("--batch-size", type=positive, default=32, help="frames in a batch of ours (default: %(default)s)")
    add("--least-score", type=float, default=0.25, help="of the boxes that are kept (default: %(default)s)")
    add("--precision", choices=("auto", "fp32", "bf16"), default="auto", help="of ours (default: the file's own)")
    add("--ultralytics", type=Path, metavar="PYTHON", help="Python of an environment that has ultralytics")
    add(
        "--ultralytics-model",
        metavar="FILE",
        help="its network: a .yaml that it knows, or weights (default: the .yaml of the first network of -w)",
    )
    add("--ultralytics-forms", nargs="+", choices=FORMS, default=FORMS, help="default: all of them")
    add("--ultralytics-batch", type=positive, nargs="+", default=[1, 16], metavar="N", help="frames in a batch: 1 16")
    add("--json", type=Path, help="also write the results into this file")
    arguments = parser.parse_args()
    if arguments.json and not arguments.json.parent.is_dir():  # an error here comes before the work, not after it
        raise InputError(f"{arguments.json.parent}: no such folder; choose an existing folder for --json")
    runners = load_detectors(arguments.weights, arguments.precision)
    frames = read_file_list(arguments.input.absolute(), MAX_CLASSES)
    wanted = slice(arguments.frames)
    frames = replace(frames, paths=frames.paths[wanted], labels=frames.labels[wanted])
    first = next(iter(runners.values()))
    with tempfile.TemporaryDirectory() as name, contextlib.ExitStack() as stack:
        scratch = Path(name)
        runs = our_runs(runners, frames, arguments.batch_size, arguments.least_score, scratch)
        runs[decoding_name(first)]()  # a frame that cannot be read is an error now
        if arguments.ultralytics:
            settings = {
                "model": arguments.ultralytics_model or same_network(first),
                "forms": list(arguments.ultralytics_forms),
                "batch_sizes": arguments.ultralytics_batch,
                "least_score": arguments.least_score,
            }
            folder = scratch / "ultralytics"
            other = stack.enter_context(ultralytics(arguments.ultralytics, settings, first, frames, folder))
            for way in other.answer()["ready"]:  # its networks are exported and compiled
                runs[f"ultralytics, {way}"] = functools.partial(predict, other, way, len(frames))
        ms = measure(runs, arguments.rounds)
    figures = compare(ms, runners)
    print(f"{len(frames)} frames, {choose_threads(None)} threads, medians of {arguments.rounds} rounds")
    for name, row in figures.items():
        print(f"{name}: {in_words(row)}")
    if arguments.json:
        write_json(arguments.json, figures)


def load_detectors(paths: Sequence[Path], precision: str) -> dict[str, Runner]:
    """Name of the file -> its network."""
    runners = {}
    for path in paths:
        runner = load_runner(path, "cpu", precision)
        if task_of(runner.network).rows.boxes is None:
            raise InputError(f"{path}: is a classifier; scripts/bench_predict.py measures it")
        runners[path.name] = runner
    return runners


def our_runs(
    runners: Mapping[str, Runner], frames: FileList, batch_size: int, least_score: float, scratch: Path
) -> dict[str, Callable[[], int]]:
    """Ours, and its parts."""
    threads, runs = choose_threads(None), {}
    for name, runner in runners.items():
        runs[decoding_name(runner)] = decoding(frames, runner.preprocessing, threads)
        runs[f"network alone, {name}"] = network_alone(runner, threads, batch_size)
        runs[f"ours, {name}"] = end_to_end(Predictor(runner, threads, batch_size, least_score), frames, scratch)
    return runs


def decoding_name(runner: Runner) -> str:
    """Decoding depends on the size of the network's frames alone."""
    return f"decoding alone, to {runner.preprocessing.height}x{runner.preprocessing.width}"


def same_network(runner: Runner) -> str:
    """ultralytics' name of the network; InputError if it has none."""
    name = runner.network.removesuffix(DETECTOR)
    if name not in ("yolov5n", "yolov5s", "yolov5m", "yolov5l", "yolov5x"):
        raise InputError(f"{runner.source}: ultralytics has no {runner.network}; name one with --ultralytics-model")
    return f"{name}.yaml"


def ultralytics(python: Path, settings: dict[str, Any], runner: Runner, frames: FileList, folder: Path) -> OtherProgram:
    """ultralytics in a process of its own, with the same frames, frame size and classes as ours."""
    folder.mkdir()
    (folder / "frames.txt").write_text("".join(f"{path}\n" for path in frames.paths), encoding="utf-8")
    size = runner.preprocessing
    ours = {
        "size": [size.height, size.width],
        "classes": len(runner.class_names),
        "overlap": OVERLAP,
        "most": MOST,
        "threads": choose_threads(None),
        "paths": frames.paths,
        "list": str(folder / "frames.txt"),
        "scratch": str(folder),
    }
    return OtherProgram(python, PROGRAM, settings | ours, folder)


def predict(other: OtherProgram, way: str, frames: int) -> int:
    """Let ultralytics predict all frames in one of its ways; returns how many they are."""
    other.ask(way)
    return frames


def measure(runs: Mapping[str, Callable[[], int]], rounds: int) -> dict[str, float]:
    """Median milliseconds a frame of each run, in turns; one round before does not count."""
    times: dict[str, list[float]] = {name: [] for name in runs}
    for counted in range(rounds + 1):
        for name, run in runs.items():
            start = time.perf_counter()
            done = run()
            if counted:
                times[name].append(1000 * (time.perf_counter() - start) / done)
    return {name: statistics.median(each) for name, each in times.items()}


def compare(ms: Mapping[str, float], runners: Mapping[str, Runner]) -> dict[str, dict[str, Any]]:
    """The figures of each run; those of ours have their share of the limit, and their ratio to the best of theirs."""
    figures: dict[str, dict[str, Any]] = {
        name: {"ms_per_frame": value, "frames_per_second": 1000 / value} for name, value in ms.items()
    }
    theirs = {name: value for name, value in ms.items() if name.startswith("ultralytics")}
    for name, runner in runners.items():
        row = figures[f"ours, {name}"]
        row["of_the_limit"] = (ms[decoding_name(runner)] + ms[f"network alone, {name}"]) / row["ms_per_frame"]
        if theirs:
            best = min(theirs, key=theirs.__getitem__)
            row["times_ultralytics_best"], row["ultralytics_best"] = theirs[best] / row["ms_per_frame"], best
    return figures


def in_words(row: Mapping[str, Any]) -> str:
    """The figures of a run."""
    words = f"{row['ms_per_frame']:.2f} ms a frame, {row['frames_per_second']:.1f} frames/s"
    if "of_the_limit" in row:
        words += f", {100 * row['of_the_limit']:.0f}% of the limit"
    if "times_ultralytics_best" in row:
        words += f", {row['times_ultralytics_best']:.2f} times {row['ultralytics_best']}"
    return words


if __name__ == "__main__":
    run_command(main)

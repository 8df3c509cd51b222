"""Measure batch prediction from files to npy files, beside timm's loader and beside its two parts alone.

    python scripts/bench_predict.py -w demo/save_pt_pth_file/repvgg_a0_cpp_deploy.pt --input demo/datasets2/val.txt
    python scripts/bench_predict.py -w FILE.pt --input LIST --lines 100000        # one long run, with its memory

"ours" is this project: it runs the OpenVINO files beside FILE.pt and writes npy files. timm decodes with Pillow, in one
worker process for each processor. With its best flags, it runs the folded network in channels_last and bf16; with its
defaults, it runs the unfolded network in fp32. All runs use the same frames and take turns. The first round does not
count, and the script prints the medians of the others. Loading and compiling are not timed.
The limit of ours is the time of decoding alone plus the time of the network alone, each on all processors.
"""

import contextlib
import itertools
import os
import resource
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import timm
import torch
from timm.data import create_loader, create_transform
from timm.utils.model import reparameterize_model
from torch.utils.data import Dataset

from game_classifier.command import CommandParser, positive, run_command
from game_classifier.compare.prediction_parts import decoding, end_to_end, network_alone
from game_classifier.device import choose_threads
from game_classifier.errors import InputError
from game_classifier.frames.decode import FrameStatus, Preprocessing
from game_classifier.lists.filelist import FileList, read_file_list
from game_classifier.predict.predict_list import Predictor
from game_classifier.runtime.runner import Runner, load_runner
from game_classifier.storage import write_json

DEFAULT_BATCH = 32
DEPLOYED = "_cpp_deploy.pt"  # the end of a deployed file's name, after the network's


def main() -> None:
    """Parse, then run the comparison or the long run."""
    parser = CommandParser(__doc__)
    parser.add_argument(
        "-w", "--weights", type=Path, required=True, help="TorchScript file of a conversion to all formats"
    )
    parser.add_argument("--input", type=Path, required=True, help="list of frames")
    parser.add_argument("--rounds", type=positive, default=5, help="rounds that count (default: %(default)s)")
    parser.add_argument(
        "--batch-size", type=positive, default=DEFAULT_BATCH, help="frames in a batch (default: %(default)s)"
    )
    parser.add_argument(
        "--lines", type=positive, help="only predict the list, repeated to this length, and measure the memory"
    )
    parser.add_argument("--json", type=Path, help="also write the results into this file")
    arguments = parser.parse_args()
    if arguments.json and not arguments.json.parent.is_dir():  # an error here comes before the work, not after it
        raise InputError(f"{arguments.json.parent}: no such folder; choose an existing folder for --json")
    network, (full, int8) = find_conversion(arguments.weights)
    if not arguments.lines and not timm.is_model(network):
        raise InputError(
            f"{arguments.weights}: timm has no network {network!r} to compare with; give a conversion of one of timm's"
            " networks, such as repvgg_a0, or run ours alone with --lines"
        )
    ours = {
        "INT8": load_runner(int8, "cpu"),
        "bf16": load_runner(full, "cpu", "bf16"),
        "fp32": load_runner(full, "cpu", "fp32"),
    }
    frames = read_file_list(arguments.input, len(ours["INT8"].class_names))
    if arguments.lines:
        figures = long_run(ours["INT8"], frames, arguments.lines, arguments.batch_size)
    else:
        figures = compare(ours, frames, network, arguments.batch_size, arguments.rounds)
    if arguments.json:
        write_json(arguments.json, figures)


def find_conversion(weights: Path) -> tuple[str, list[Path]]:
    """The network's name, and the OpenVINO files of the conversion: in floating point and in INT8."""
    network = weights.name.removesuffix(DEPLOYED)
    if network == weights.name:
        raise InputError(
            f"{weights}: not named NETWORK{DEPLOYED}; give the TorchScript file that src/main_convert.py wrote"
        )
    files = [weights.with_name(f"{network}{end}") for end in ("_openvino.xml", "_openvino_int8.xml")]
    for path in (weights, *files):
        if not path.is_file():
            raise InputError(f"{path}: no such file; src/main_convert.py writes it with --formats all")
    return network, files


def compare(
    ours: dict[str, Runner], frames: FileList, network: str, batch_size: int, rounds: int
) -> dict[str, dict[str, float]]:
    """Print and return the milliseconds a frame of each run, and the ratios."""
    threads = choose_threads(None)
    size = ours["INT8"].preprocessing
    classes = len(ours["INT8"].class_names)
    with tempfile.TemporaryDirectory() as scratch:
        runs: dict[str, Callable[[], int]] = {"decoding alone": decoding(frames, size, threads)}
        for name, classifier in ours.items():
            runs[f"network alone, {name}"] = network_alone(classifier, threads, batch_size)
            runs[f"ours, {name}"] = end_to_end(Predictor(classifier, threads, batch_size), frames, Path(scratch))
        runs["timm, its best flags"] = timm_run(frames, network, classes, size, threads, fast=True)
        runs["timm, its defaults"] = timm_run(frames, network, classes, size, threads, fast=False)
        times: dict[str, list[float]] = {name: [] for name in runs}
        for counted in range(rounds + 1):
            for name, run in runs.items():
                start = time.perf_counter()
                done = run()
                if counted:
                    times[name].append(1000 * (time.perf_counter() - start) / done)
    ms = {name: statistics.median(each) for name, each in times.items()}
    figures = {name: {"ms_per_frame": value, "frames_per_second": 1000 / value} for name, value in ms.items()}
    for name in ours:
        row = figures[f"ours, {name}"]
        limit = ms["decoding alone"] + ms[f"network alone, {name}"]
        row["of_the_limit"] = limit / ms[f"ours, {name}"]
        row["times_timm_best"] = ms["timm, its best flags"] / ms[f"ours, {name}"]
        row["times_timm_defaults"] = ms["timm, its defaults"] / ms[f"ours, {name}"]
    print(f"{len(frames)} frames, {threads} threads, batches of {batch_size}, medians of {rounds} rounds")
    for name, row in figures.items():
        ratios = ""
        if "of_the_limit" in row:
            ratios = (
                f", {100 * row['of_the_limit']:.0f}% of the limit, {row['times_timm_best']:.1f} times timm's best"
                f" flags, {row['times_timm_defaults']:.1f} times its defaults"
            )
        print(f"{name}: {row['ms_per_frame']:.2f} ms a frame, {row['frames_per_second']:.0f} frames/s{ratios}")
    return figures


class Images(Dataset):
    """Reads files as timm's ImageDataset does: Pillow, RGB, transform."""

    def __init__(self, paths: list[str], size: Preprocessing) -> None:
        from PIL import Image

        self.open, self.paths = Image.open, paths
        self.transform = create_transform(
            (3, size.height, size.width),
            is_training=False,
            crop_pct=1.0,
            crop_mode="squash",
            interpolation="bilinear",
            mean=size.mean,
            std=size.std,
        )

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, row: int) -> tuple[torch.Tensor, int]:
        return self.transform(self.open(self.paths[row]).convert("RGB")), row


def timm_run(
    frames: FileList, name: str, classes: int, size: Preprocessing, threads: int, fast: bool
) -> Callable[[], int]:
    """A round of timm's validate.py: its loader, its network; the weights do not matter for the speed."""
    network = timm.create_model(name, num_classes=classes).eval()
    dataset = Images(frames.paths, size)
    loader = create_loader(
        dataset, (3, size.height, size.width), batch_size=256, use_prefetcher=False, num_workers=threads
    )
    loader.dataset.transform = dataset.transform = Images(frames.paths, size).transform  # create_loader sets its own
    if fast:
        network = reparameterize_model(network).to(memory_format=torch.channels_last)

    def run() -> int:
        torch.set_num_threads(threads)
        precision = torch.autocast("cpu", torch.bfloat16) if fast else contextlib.nullcontext()
        with torch.inference_mode(), precision:
            for pixels, _ in loader:
                pixels = pixels.contiguous(memory_format=torch.channels_last) if fast else pixels
                network(pixels).argmax(dim=1)
        return len(frames)

    return run


def long_run(classifier: Runner, frames: FileList, lines: int, batch_size: int) -> dict[str, float]:
    """Predict `lines` lines into one npy file, and print the speed and the memory."""
    paths = list(itertools.islice(itertools.cycle(frames.paths), lines))
    labels = np.resize(frames.labels, lines)
    repeated = replace(frames, paths=paths, labels=labels)
    predictor = Predictor(classifier, choose_threads(None), batch_size)
    resident: list[tuple[int, float]] = []

    def watch(classify: Callable[[np.ndarray], np.ndarray]) -> Callable[[np.ndarray], np.ndarray]:
        def watched(batch: np.ndarray) -> np.ndarray:
            resident.append((len(resident) * batch_size, resident_megabytes()))
            return classify(batch)

        return watched

    predictor.workers = [watch(worker) for worker in predictor.workers]
    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as scratch:
        predictor.predict(repeated, Path(scratch))
        seconds = time.perf_counter() - start
        status = np.load(Path(scratch) / f"{frames.source.stem}.npy")["status"]
    if (status != FrameStatus.OK).all():
        raise InputError(f"{frames.source}: none of its frames could be read; tool/check_dataset.py says why")
    # A short run ends earlier.
    early = next((megabytes for done, megabytes in resident if done >= min(10_000, lines // 10)), resident[-1][1])
    figures = {
        "rows": len(status),
        "seconds": seconds,
        "frames_per_second": lines / seconds,
        "resident_mb_after_10000": early,
        "resident_mb_at_the_end": resident[-1][1],
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000,
    }
    print("\n".join(f"{name}: {value:.1f}" for name, value in figures.items()))
    return figures


def resident_megabytes() -> float:
    """The resident memory of this process, on Linux."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


if __name__ == "__main__":
    run_command(main)

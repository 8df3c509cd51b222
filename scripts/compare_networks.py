"""Compare trained networks on this machine: accuracy, size, and time in every runtime.

    python scripts/compare_networks.py -w A_best.pth B_best.pth -i datasets2 -o comparison [--frames 4500]

Converts each checkpoint into OUTPUT/NETWORK first, unless it is already converted. Then every network classifies the
same decoded frames in every runtime, one at a time and in batches, and the same frames from files. All runs take turns,
so that a machine whose speed drifts favours none. Loading is not timed.
The tables show how much of the baseline's time each network saves, with the smallest and the largest saving of a single
round in brackets. The baseline is the last checkpoint, or the network named with --baseline.
Writes OUTPUT/comparison.md, comparison.csv, times.png and accuracy.png. scripts/compare_baseline.sh trains RepVGG-A0
and SqueezeNet and then runs this script.
"""

import math
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch
from PIL import Image
from torchvision import transforms

from game_classifier.command import CommandParser, positive, run_command
from game_classifier.compare.charts import plot_accuracy, plot_times
from game_classifier.compare.comparison import alone_table, figures, networks_table, ways_table
from game_classifier.compare.contestants import RUNTIMES, Contestant, read_contestants
from game_classifier.compare.end_to_end import ClassifyFile, Way, time_ways
from game_classifier.compare.network_alone import Cell, time_networks
from game_classifier.compare.table import csv_text
from game_classifier.compare.turns import Amount
from game_classifier.deploy.frame_sets import gate_frames
from game_classifier.device import choose_threads
from game_classifier.errors import InputError
from game_classifier.lists.dataset import VAL_LIST
from game_classifier.lists.filelist import FileList, read_file_list
from game_classifier.models.checkpoint import load_checkpoint
from game_classifier.models.fold import fold
from game_classifier.storage import make_folder, write_text
from game_classifier.tasks.choose import task_of

CONVERT = Path(__file__).resolve().parents[1] / "src" / "main_convert.py"
BEFORE = "as before this project: PyTorch fp32, Pillow, one at a time"


def main() -> None:
    """Parse, convert, measure, write."""
    parser = CommandParser(__doc__)
    add = parser.add_argument
    add("-w", "--weights", type=Path, nargs="+", required=True, help="checkpoints, each of another network")
    add("-i", "--input", type=Path, required=True, help="data set or list of frames")
    add("--root", type=Path, help="folder of the relative paths in the list (default: the list's own folder)")
    add("-o", "--output", type=Path, default=Path("comparison"), help="output folder (default: %(default)s)")
    add("--frames", type=positive, default=4500, help="frames to classify; a shorter list is repeated (default: 4500)")
    add("--rounds", type=positive, default=10, help="turns of each run (default: %(default)s)")
    add("--batch-size", type=positive, default=32, help="frames in a batch (default: %(default)s)")
    add("--threads", type=positive, help="number of threads (default: one for each processor)")
    add("--baseline", metavar="NETWORK", help="network to compare the others with (default: the last)")
    names = {runtime.lower().replace(" ", "-"): runtime for runtime in RUNTIMES}
    listed = f"runtimes to measure (default: all): {', '.join(names)}"
    add("--runtimes", nargs="+", choices=names, default=list(names), metavar="RUNTIME", help=listed)
    arguments = parser.parse_args()

    folder, threads = make_folder(arguments.output), choose_threads(arguments.threads)
    source = arguments.input / VAL_LIST if arguments.input.is_dir() else arguments.input
    # The list comes first: a mistake in it must show before the conversions, which take minutes.
    frames = read_file_list(source, len(load_checkpoint(arguments.weights[0]).class_names), arguments.root)
    if not any(Path(path).is_file() for path in frames.paths):
        raise InputError(
            f"{source}: none of its {len(frames)} frames exists, for example {frames.paths[0]}; give the folder of the"
            " relative paths with --root"
        )
    convert = [sys.executable, str(CONVERT), "-i", str(source), "--formats", "all"]
    convert += ["--root", str(arguments.root)] if arguments.root else []
    contestants = read_contestants(arguments.weights, folder, convert)
    baseline = arguments.baseline or contestants[-1].name
    if baseline not in [each.name for each in contestants]:
        known = ", ".join(each.name for each in contestants)
        raise InputError(f"--baseline {baseline}: not among the networks of -w; give one of {known}")
    amount = Amount(
        arguments.frames,
        arguments.batch_size,
        min(arguments.rounds, -(-arguments.frames // arguments.batch_size)),  # each round has a batch
        threads,
    )
    cells, ways = measure(contestants, frames, [names[each] for each in arguments.runtimes], amount)
    print(write(folder, contestants, cells, ways, baseline, amount))


def measure(
    contestants: Sequence[Contestant], frames: FileList, runtimes: Sequence[str], amount: Amount
) -> tuple[list[Cell], list[Way]]:
    """Time the networks alone, then from files."""
    decoded = {
        each.name: gate_frames(task_of(each.name), frames, amount.frames, each.checkpoint.preprocessing, amount.threads)
        for each in contestants
    }
    cells = time_networks(contestants, decoded, runtimes, amount)
    readable = decoded[contestants[0].name]
    files = replace(frames, paths=list(readable.paths), labels=readable.targets)
    before = {each.name: as_before(each) for each in contestants}
    return cells, time_ways(contestants, files, before, BEFORE, amount)


def write(
    folder: Path,
    contestants: Sequence[Contestant],
    cells: Sequence[Cell],
    ways: Sequence[Way],
    baseline: str,
    amount: Amount,
) -> str:
    """Write the tables, the figures and the pictures; return the tables and the file names for the terminal."""
    counted = f"{amount.frames:,} frames, {amount.threads} threads"
    tables = [
        networks_table(contestants),
        alone_table(cells, contestants, baseline, f"The network alone: {counted}, batches of {amount.batch_size}"),
        ways_table(ways, baseline, f"From files to classes: {counted}"),
    ]
    missed = [f"left out, {each.name}: {each.complaint}" for each in contestants if each.complaint]
    write_text(folder / "comparison.md", "\n".join([*(table.markdown() for table in tables), *missed, ""]))
    write_text(folder / "comparison.csv", csv_text(figures(cells, ways, baseline)))
    plot_times(folder / "times.png", cells, ways)
    written = "comparison.md, comparison.csv, times.png"
    if not math.isnan(cells[0].top1):  # the list has labels
        plot_accuracy(folder / "accuracy.png", cells)
        written += ", accuracy.png"
    return "\n".join([*(table.text() for table in tables), *missed, f"written: {folder}/{written}"])


def as_before(contestant: Contestant) -> ClassifyFile:
    """Classify a file as most projects do: Pillow, torchvision's transforms, the network in fp32, one at a time.

    RepVGG runs folded, as its authors intend.
    """
    size = contestant.checkpoint.preprocessing
    prepare = transforms.Compose(
        [
            transforms.Resize((size.height, size.width)),
            transforms.ToTensor(),
            transforms.Normalize(size.mean, size.std),
        ]
    )
    network = fold(contestant.checkpoint.build()).to(memory_format=torch.contiguous_format)

    def classify(path: str) -> int:
        with torch.inference_mode(), Image.open(path) as image:
            logits = network(prepare(image.convert("RGB"))[None])
            return int(torch.softmax(logits, dim=1).argmax())

    return classify


if __name__ == "__main__":
    run_command(main)

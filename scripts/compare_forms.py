"""Measure how much time folding saves: Rep networks in training form and deployed form, beside the plain network.

    python scripts/compare_forms.py                                   # repyolov5s and repvgg_a0, 500 and 5,000 frames
    python scripts/compare_forms.py repyolov5s --frames 64115 118287  # hours

Each form classifies the frames one at a time, in three rounds. The forms take turns of 500 frames. The plain network is
the same network without the extra branches of its RepVGG blocks; for repyolov5s it is YOLOv5s of v5.0. Writes forms.md,
forms.csv and forms.png into the output folder. Weights and frames are random, because neither changes the time.
"""

from collections.abc import Sequence
from pathlib import Path

from game_classifier.command import CommandParser, positive, run_command
from game_classifier.compare.charts import plot_forms
from game_classifier.compare.forms import Timing, forms_figures, forms_of, forms_table, time_forms
from game_classifier.compare.table import Table, csv_text
from game_classifier.config import check_config
from game_classifier.device import choose_threads
from game_classifier.storage import make_folder, write_text


def main() -> None:
    """Parse, measure one number of frames after the other, write after each."""
    parser = CommandParser(__doc__)
    add = parser.add_argument
    add(
        "networks",
        nargs="*",
        default=["repyolov5s", "repvgg_a0"],
        help="networks to measure (default: repyolov5s repvgg_a0)",
    )
    add(
        "--frames",
        nargs="+",
        type=positive,
        default=[500, 5000],
        help="frames in each round; several numbers are measured in turn (default: 500 5000)",
    )
    add("--rounds", type=positive, default=3, help="number of rounds (default: %(default)s)")
    add("--size", type=positive, default=128, help="side of the frames in pixels (default: %(default)s)")
    add("--classes", type=positive, default=104, help="number of classes (default: %(default)s)")
    add("--threads", type=positive, help="number of threads (default: one for each processor)")
    add("-o", "--output", type=Path, default=Path("comparison"), help="output folder (default: %(default)s)")
    arguments = parser.parse_args()

    check_config({"image_size": arguments.size}, f"--size {arguments.size}")
    folder, threads = make_folder(arguments.output), choose_threads(arguments.threads)
    title = f"{arguments.size}x{arguments.size}, one frame at a time, PyTorch fp32, {threads} threads"
    timings = []
    # All networks are built first: a wrong name must not end hours of measuring.
    for forms in [forms_of(name, arguments.classes, arguments.size) for name in arguments.networks]:
        for frames in arguments.frames:
            timings += time_forms(forms, frames, arguments.size, arguments.rounds, threads)
            table = write(folder, timings, title)  # an interruption later keeps these results
    print(table.text())
    print(f"written: {folder}/forms.md, forms.csv, forms.png")


def write(folder: Path, timings: Sequence[Timing], title: str) -> Table:
    """Write the table, the figures and the picture; returns the table."""
    figures = forms_figures(timings)
    table = forms_table(figures, title)
    write_text(folder / "forms.md", table.markdown())
    write_text(folder / "forms.csv", csv_text(figures))
    plot_forms(folder / "forms.png", timings)
    return table


if __name__ == "__main__":
    run_command(main)

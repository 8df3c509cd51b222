"""Measure how much time folding saves: Rep networks in training form and deployed form, beside the plain network.

    python scripts/compare_forms.py                                   # repyolov5s and repvgg_a0, 500 and 5,000 frames
    python scripts/compare_forms.py repyolov5s_detector --size 320 --yolov5-changes
    python scripts/compare_forms.py repyolov5s --frames 64115 118287  # hours

Each form answers for the frames one at a time, in three rounds. The forms take turns of 500 frames. The plain network
is the same network without the extra branches of its RepVGG blocks; for repyolov5s and repyolov5s_detector it is
YOLOv5s of v5.0. A network with SiLU is measured with LeakyReLU(0.1) too. A detector's time includes its boxes and
scores, but no NMS. Writes forms.md, forms.csv, forms.png and NETWORK_folding.png into the output folder. The latter
shows one block and the operators before and after folding. Weights and frames are random, because neither changes the
time.
"""

from collections.abc import Sequence
from pathlib import Path

from game_classifier.command import CommandParser, positive, run_command
from game_classifier.compare.charts import plot_forms
from game_classifier.compare.forms import DEPLOYED, TRAINED, Form, Timing, forms_of, time_forms
from game_classifier.compare.forms_table import forms_figures, forms_table
from game_classifier.compare.table import Table, csv_text
from game_classifier.compare.yolov5_changes import changes_of_v6
from game_classifier.config import check_config
from game_classifier.deploy.drawing import draw_block
from game_classifier.device import choose_threads
from game_classifier.storage import make_folder, write_text

COCO = [64115, 118287]  # frames; the last is COCO's training set


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
    add(
        "--reckon",
        nargs="*",
        type=positive,
        default=COCO,
        help="numbers of frames whose time is not measured, but reckoned from the ms a frame (default: 64115 118287)",
    )
    add(
        "--yolov5-changes",
        action="store_true",
        help="also compare YOLOv5s of v5.0 with v6.0: Focus and 6x6 convolution, SPP and SPPF, C3 9 and 6, and all",
    )
    add("--rounds", type=positive, default=3, help="number of rounds (default: %(default)s)")
    add("--size", type=positive, default=128, help="side of the frames in pixels (default: %(default)s)")
    add("--classes", type=positive, default=104, help="number of classes (default: %(default)s)")
    add("--threads", type=positive, help="number of threads (default: one for each processor)")
    add("-o", "--output", type=Path, default=Path("comparison"), help="output folder (default: %(default)s)")
    arguments = parser.parse_args()

    check_config({"image_size": arguments.size}, f"--size {arguments.size}")
    folder, threads = make_folder(arguments.output), choose_threads(arguments.threads)
    title = f"{arguments.size}x{arguments.size}, one frame at a time, PyTorch fp32, {threads} threads, without NMS"
    reckoned = [number for number in arguments.reckon if number not in arguments.frames]
    # All networks are built first: a wrong name must not end hours of measuring.
    groups = [forms_of(name, arguments.classes, arguments.size) for name in arguments.networks]
    changes = changes_of_v6(arguments.classes, arguments.size) if arguments.yolov5_changes else []
    pictures = [draw(folder, forms, arguments.size) for forms in groups]
    timings: list[Timing] = []
    for forms in [*groups, *changes]:
        for frames in arguments.frames:
            timings += time_forms(forms, frames, arguments.rounds, threads)
            table = write(folder, timings, title, reckoned)  # an interruption later keeps these results
    print(table.text())
    print(f"written: {folder}/forms.md, forms.csv, forms.png, {', '.join(pictures)}")


def draw(folder: Path, forms: Sequence[Form], size: int) -> str:
    """Draw the folding of a network; returns the name of the picture."""
    modules = {each.form: each.module for each in forms}
    network = forms[0].network
    name = f"{network}_folding.png"
    draw_block(folder / name, network, modules[TRAINED], modules[DEPLOYED], size, size)
    return name


def write(folder: Path, timings: Sequence[Timing], title: str, reckoned: Sequence[int]) -> Table:
    """Write the table, the figures and the picture; returns the table."""
    figures = forms_figures(timings, reckoned)
    table = forms_table(figures, title, reckoned)
    write_text(folder / "forms.md", table.markdown())
    write_text(folder / "forms.csv", csv_text(figures))
    plot_forms(folder / "forms.png", timings)
    return table


if __name__ == "__main__":
    run_command(main)

"""Check every frame in the lists of a data set. The first list is the training list.

    python tool/check_dataset.py --lists datasets2/train.txt datasets2/val.txt
    python tool/check_dataset.py --lists datasets2/train.txt datasets2/val.txt --max-leakage 0.01 --fix-lists
    python tool/check_dataset.py --lists boxes/train.txt boxes/val.txt --boxes

Writes OUT/findings.csv and OUT/report.html. Ends with status 0 if nothing was found, 1 if something was found, and 2
for wrong use. A frame of a later list has a twin if a training frame looks like it. If more than --max-leakage of a
list's frames have a twin, the report lists them. With --boxes, the lists are those of a detector, and their label
files are checked too. Frames of background.txt, which show none of the classes, are checked as well: one that looks
like a frame of a class is reported.
"""

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from game_classifier.checks.box_findings import box_findings
from game_classifier.checks.findings import Frames, Report, find_all
from game_classifier.checks.fixed_lists import fixed_path, write_fixed_list
from game_classifier.checks.inspect_frames import INSPECTED, inspect_files
from game_classifier.checks.near_duplicates import DEFAULT_DISTANCE, MAX_DISTANCE
from game_classifier.command import CommandParser, positive, run_command
from game_classifier.console import progress
from game_classifier.device import choose_threads
from game_classifier.errors import InputError
from game_classifier.lists.classes import read_class_names
from game_classifier.lists.dataset import ANNOTATIONS, read_background
from game_classifier.lists.filelist import UNKNOWN, UNLABELLED, FileList, read_file_list
from game_classifier.lists.manifest import require_same_classes
from game_classifier.pages.check_page import write_report
from game_classifier.pages.check_tables import findings_table, leakage_table, lists_table
from game_classifier.storage import make_folder


def main() -> int:
    """Parse, inspect the files, judge them, report; 1 when something was found."""
    arguments = parse()
    classes = arguments.classes or arguments.lists[0].parent / ANNOTATIONS
    class_names = read_class_names(classes)
    lists = read_lists(arguments.lists, class_names, classes, arguments.root, arguments.boxes)
    if background := read_background(arguments.lists[0].parent, arguments.root):
        lists.append(replace(background, labels=np.full(len(background), UNKNOWN, np.int32)))
    make_folder(arguments.out)  # an error here comes before the work, not after it

    about_boxes = list(box_findings(lists, class_names)) if arguments.boxes else ()
    names = ("frames",) if arguments.boxes else class_names  # frames with boxes are of one kind
    frames = Frames(lists, inspect_all(lists, choose_threads(arguments.threads)))
    report = find_all(frames, names, arguments.distance, arguments.max_leakage, about_boxes)
    write_report(report, arguments.out)
    print_summary(report)
    if arguments.fix_lists:
        fix_lists(report)
    print(f"written: findings.csv and report.html in {arguments.out}")
    return 1 if report.findings else 0


def parse() -> argparse.Namespace:
    """The arguments, checked; InputError for a value out of its range."""
    parser = CommandParser(__doc__)
    add = parser.add_argument
    add("--lists", type=Path, nargs="+", required=True, metavar="LIST", help="the training list, then the other lists")
    add(
        "--max-leakage",
        type=float,
        default=0.01,
        metavar="SHARE",
        help="share of a later list's frames that may have a twin in training (default: %(default)s)",
    )
    add("--out", type=Path, default=Path("check_report"), help="folder for the report (default: %(default)s)")
    add("--classes", type=Path, metavar="FILE", help="class file (default: annotations.txt beside the first list)")
    add("--root", type=Path, help="folder of the relative paths in a list (default: the list's own folder)")
    add("--threads", type=positive, help="number of decoding threads (default: one for each processor)")
    add(
        "--distance",
        type=int,
        default=DEFAULT_DISTANCE,
        metavar="BITS",
        help="how many of 64 bits may differ between the hashes of twins (default: %(default)s)",
    )
    add("--boxes", action="store_true", help="the lists are a detector's: paths alone, with label files")
    add(
        "--fix-lists",
        action="store_true",
        help="write LIST.fixed.txt beside each list, without unreadable files, copies, frames that appear in two"
        " classes and, in later lists, frames with a twin in training",
    )
    arguments = parser.parse_args()
    if not 0 <= arguments.max_leakage <= 1:
        raise InputError(f"--max-leakage {arguments.max_leakage}: give a share from 0 to 1, such as 0.01")
    if not 0 <= arguments.distance <= MAX_DISTANCE:
        raise InputError(f"--distance {arguments.distance}: give a number of bits from 0 to {MAX_DISTANCE}")
    own = [path.resolve() for path in arguments.lists]
    for number, path in enumerate(arguments.lists):
        if own[number] in own[:number]:
            raise InputError(f"{path}: given twice; a list cannot be compared with itself")
        if arguments.fix_lists and fixed_path(own[number]) in own:
            raise InputError(f"{path}: its fixed list would replace a list that was given; leave one of them out")
    return arguments


def read_lists(
    sources: Sequence[Path], class_names: Sequence[str], classes: Path, root: Path | None, boxes: bool
) -> list[FileList]:
    """Read the lists; InputError for a bad line, and for one without a class index, or with one beside `boxes`."""
    lists = [read_file_list(source, len(class_names), root) for source in sources]
    for frames in lists:
        require_same_classes(frames, class_names, classes)
        wrong = np.flatnonzero((frames.labels == UNLABELLED) != boxes)
        if len(wrong):
            problem = (
                "a class index after the path; with --boxes, remove it"
                if boxes
                else "no class index after the path; add it, or give --boxes"
            )
            raise InputError(f"{frames.source}:{wrong[0] + 1}: {problem}")
    if boxes:
        return [replace(frames, labels=np.zeros(len(frames), np.int32)) for frames in lists]
    return lists


def inspect_all(lists: Sequence[FileList], threads: int) -> np.ndarray:
    """Inspect the files of all lists with a progress bar; INSPECTED [N]."""
    paths = [path for frames in lists for path in frames.paths]
    rows = np.zeros(len(paths), INSPECTED)
    with progress(total=len(paths), desc="Check", unit="frame") as bar:
        for more in inspect_files(paths, threads, rows):
            bar.update(more)
    return rows


def print_summary(report: Report) -> None:
    """Print the lists, the leakage and the findings."""
    print(lists_table(report))
    if report.leakage:
        print(leakage_table(report))
    print(findings_table(report) if report.findings else "nothing was found")


def fix_lists(report: Report) -> None:
    """Write the fixed lists, and print how many lines each leaves out."""
    frames = report.frames
    for number, each in enumerate(frames.lists):
        left_out = report.left_out[frames.list_of == number]
        if left_out.all():  # no command takes an empty list
            print(f"not written: {fixed_path(each.source)}, because no line would be left; see the findings")
            continue
        path = write_fixed_list(each, left_out)
        print(f"written: {path}, {left_out.sum()} of {len(each)} lines left out")


if __name__ == "__main__":
    run_command(main)

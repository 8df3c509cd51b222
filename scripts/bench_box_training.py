"""Compare the AP of detectors after equal time of training: ours, and networks of ultralytics.

    python scripts/bench_box_training.py boxes --ultralytics OTHER_ENVIRONMENT/bin/python -o bench

Ours trains with its recipe, and the clock runs from the start of src/main_train.py to its end. Then each network of
ultralytics trains on the same frames at the same size for as many seconds, with its own recipe: its option `time` fits
the number of epochs. Loading the library does not count for it. All start without weights. ultralytics runs in the
environment that you name, as a program of its own: it is not part of this project, and its licence is the AGPL.
The same code counts the AP of all, on the folder's val.txt, over at most 100 boxes a frame.
"""

import contextlib
import json
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from game_classifier.command import CommandParser, run_command
from game_classifier.compare.other_program import OtherProgram
from game_classifier.compare.table import Table
from game_classifier.config import Config, read_config
from game_classifier.device import choose_threads
from game_classifier.errors import InputError
from game_classifier.lists.box_list import BoxList, read_box_list
from game_classifier.lists.classes import read_class_names
from game_classifier.lists.dataset import ANNOTATIONS
from game_classifier.lists.label_files import IMAGES, LABELS, label_path
from game_classifier.models.zoo import DETECTION, recipe_name, require_known, task_name
from game_classifier.storage import make_folder, write_json
from game_classifier.tasks.detection.average_precision import FOUND, FrameResult, average_precision
from game_classifier.tasks.detection.found import true_boxes
from game_classifier.tasks.detection.nms import MOST, OVERLAP

ROOT = Path(__file__).resolve().parents[1]
PROGRAM = Path(__file__).with_name("train_ultralytics.py")
MODELS = ("yolov5n.yaml", "yolo11n.yaml")


def main() -> None:
    """Parse, train ours, train the others, print the table."""
    parser = CommandParser(__doc__)
    add = parser.add_argument
    add("dataset", type=Path, help="folder with annotations.txt, train.txt and val.txt")
    add("-n", "--network", default="yolov5n_detector", help="our network (default: %(default)s)")
    add("--set", action="append", default=[], metavar="KEY=VALUE", help="change a key of our recipe; may be repeated")
    add("--ultralytics", type=Path, required=True, metavar="PYTHON", help="Python of an environment that has it")
    add("--models", nargs="+", default=MODELS, metavar="FILE", help=f"its networks (default: {' '.join(MODELS)})")
    add("-o", "--output", type=Path, required=True, help="new folder for the networks and training.json")
    arguments = parser.parse_args()
    require_known(arguments.network)
    if task_name(arguments.network) != DETECTION:
        raise InputError(f"--network {arguments.network}: is a classifier; scripts/bench_train.py measures it")
    if arguments.output.exists():
        raise InputError(f"{arguments.output}: exists; a training there would go on, so give a new folder with -o")
    names = read_class_names(arguments.dataset / ANNOTATIONS)
    train, val = (read_box_list(arguments.dataset / f"{each}.txt", len(names)) for each in ("train", "val"))
    config = read_config(ROOT / "config" / recipe_name(arguments.network), arguments.set)
    out = make_folder(arguments.output.absolute())
    folder = make_folder(out / "ultralytics")
    settings = {
        "data": str(yolo_dataset(folder, names, train, val)),
        "size": np.max(config.image_size).item(),
        "batch": config.batch_size,
        "seed": config.seed,
        "threads": choose_threads(None),
        "overlap": OVERLAP,
        "most": MOST,
    }
    with contextlib.ExitStack() as stack:
        try:
            other = stack.enter_context(OtherProgram(arguments.ultralytics.absolute(), PROGRAM, settings, folder))
            other.answer()  # a library that is missing is an error now, not after our training
        except InputError:
            shutil.rmtree(out)  # made above; the same command works when the library is there
            raise
        ours = train_ours(arguments.network, arguments.dataset, arguments.set, out / "ours")
        rows = [ours | score(Path(ours["found"]), val, len(names))]
        for model in arguments.models:
            write_json(out / "training.json", rows)  # an interruption later keeps these results
            theirs = other.ask(json.dumps([model, ours["seconds"]]))
            rows.append({"network": f"ultralytics {model}", **theirs, **score(Path(theirs["found"]), val, len(names))})
    write_json(out / "training.json", rows)
    print(table(rows, config).text())
    print(f"written: {out}/training.json")


def yolo_dataset(folder: Path, names: Sequence[str], train: BoxList, val: BoxList) -> Path:
    """Links to the frames and labels as ultralytics reads them, since it writes files of its own beside them.

    Frame i is `images/%08d`, so the names count the lines of our list from 0.
    """
    for side, frames in (("train", train), ("val", val)):
        images, labels = (make_folder(folder / side / each) for each in (IMAGES, LABELS))
        for number, path in enumerate(frames.paths):
            (images / f"{number:08d}{Path(path).suffix}").symlink_to(path)
            if label_path(path).exists():
                (labels / f"{number:08d}.txt").symlink_to(label_path(path).absolute())
    sides = {side: f"{side}/{IMAGES}" for side in ("train", "val")}
    write_json(folder / "data.yaml", {"path": str(folder), **sides, "names": dict(enumerate(names))})  # JSON is YAML
    return folder / "data.yaml"


def train_ours(network: str, dataset: Path, changes: Sequence[str], out: Path) -> dict[str, Any]:
    """Train and predict with our commands; seconds are those of the whole training command."""
    options = [each for change in changes for each in ("--set", change)]
    start = time.perf_counter()
    run("src/main_train.py", "-n", network, "-i", dataset, "-o", out, *options)
    seconds = time.perf_counter() - start
    best = out / "model" / f"{network}_best.pth"
    run("src/predict_repvgg.py", "-w", best, "--input", dataset / "val.txt", "--save", out / "boxes", "--coco")
    epochs = [json.loads(line) for line in (out / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]
    frames = round(sum(each["train_seconds"] * each["frames_per_second"] for each in epochs))
    found = out / "boxes" / "results" / "val.coco.json"
    return {"network": network, "seconds": seconds, "frames": frames, "found": str(found)}


def run(script: str, *options: object) -> None:
    """Run one of our commands; InputError with its last line if it fails."""
    done = subprocess.run(
        [sys.executable, ROOT / script, *map(str, options)], check=False, stderr=subprocess.PIPE, text=True
    )
    if done.returncode:
        raise InputError(f"{script}: {(done.stderr.strip() or 'ended').splitlines()[-1]}")


def score(found: Path, val: BoxList, num_classes: int) -> dict[str, float]:
    """AP and AP50 of COCO results whose `image_id` is the line of `val`."""
    boxes: dict[int, list[tuple[int, float, list[float]]]] = {}
    for each in json.loads(found.read_text(encoding="utf-8")):
        x, y, width, height = each["bbox"]
        box = each["category_id"] - 1, each["score"], [x, y, x + width, y + height]
        boxes.setdefault(each["image_id"], []).append(box)
    frames = {
        row + 1: FrameResult(
            true_boxes(val.boxes.of(row), val.boxes.sizes[row]), np.array(boxes.get(row + 1, []), FOUND)
        )
        for row in range(len(val))
    }
    figures = average_precision(frames, num_classes).figures
    return {name: figures[name] for name in ("ap", "ap50")}


def table(rows: Sequence[dict[str, Any]], config: Config) -> Table:
    """A line for each network."""
    title = f"{config.image_size} pixels, batches of {config.batch_size}, {choose_threads(None)} threads"
    lines = [
        [
            row["network"],
            f"{row['seconds']:.0f}",
            f"{row['frames']:,}",
            f"{row['frames'] / row['seconds']:.1f}",
            f"{100 * row['ap']:.2f}",
            f"{100 * row['ap50']:.2f}",
        ]
        for row in rows
    ]
    return Table(title, ["Network", "Seconds", "Frames trained", "Frames/s", "AP", "AP50"], lines)


if __name__ == "__main__":
    run_command(main)

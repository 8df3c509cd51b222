"""Convert the boxes of another tool into lists and label files for a detector, or back.

    python tool/import_boxes.py data.yaml --out boxes                                             # YOLO
    python tool/import_boxes.py instances_val.json --images pictures/images --out boxes/val.txt   # COCO
    python tool/import_boxes.py VOC/Annotations --images VOC/images --out boxes/train.txt         # Pascal VOC
    python tool/import_boxes.py boxes/val.txt --to coco --out instances_val.json                  # --to voc, --to yolo

Writes the list, and annotations.txt and lists.json beside it; new class names are appended. Images stay where they are.
The label file of .../images/NAME.jpg is .../labels/NAME.txt; without a folder "images" it is beside the image. A label
file that exists with other boxes is never overwritten, nor is any other file by --to. YOLO's label files are used as
they are.
"""

from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from game_classifier.command import CommandParser, run_command
from game_classifier.datasets.box_formats import (
    Picture,
    read_coco,
    read_voc,
    read_yolo,
    write_coco,
    write_voc,
    write_yolo,
)
from game_classifier.datasets.cut_list import relative
from game_classifier.errors import InputError
from game_classifier.lists.box_list import read_box_list
from game_classifier.lists.classes import read_class_names, write_class_names
from game_classifier.lists.dataset import ANNOTATIONS
from game_classifier.lists.filelist import read_file_list, write_lines
from game_classifier.lists.label_files import label_path, read_boxes, write_boxes
from game_classifier.lists.manifest import write_list_manifest
from game_classifier.storage import make_folder

SAME_BOX = 1e-5  # share of a side: the rounding of a label file


def main() -> None:
    """Parse, read one format, write the other."""
    parser = CommandParser(__doc__)
    add = parser.add_argument
    add("source", type=Path, metavar="SOURCE", help="data.yaml, a COCO .json, a folder of .xml files, or our list")
    add("--out", type=Path, required=True, metavar="PATH", help="list to write; for data.yaml, a folder for its lists")
    add("--images", type=Path, metavar="FOLDER", help="folder of the images that COCO and VOC name (default: SOURCE's)")
    add("--to", choices=("coco", "voc", "yolo"), help="convert our list to this format")
    add("--root", type=Path, help="folder of the relative paths in our list (default: the list's own folder)")
    arguments = parser.parse_args()
    if not arguments.source.exists():
        raise InputError(f"{arguments.source}: no such file or folder; give data.yaml, a .json, a folder or a list")
    if arguments.to:
        export(arguments)
    elif arguments.source.suffix in (".yaml", ".yml"):
        class_names, parts = read_yolo(arguments.source)
        for part, images in parts.items():
            write_list(arguments.out / f"{part}.txt", class_names, images)
    else:
        import_pictures(arguments)


def import_pictures(arguments: Namespace) -> None:
    """Write the label files and the list of a COCO file or of VOC's files."""
    source, annotations = arguments.source, arguments.out.parent / ANNOTATIONS
    images = arguments.images or source.parent
    known = read_class_names(annotations) if annotations.exists() else ()
    if source.is_dir():
        class_names, pictures = read_voc(source, images, known)
    else:
        class_names, pictures = read_coco(source, images)
    image_of: dict[Path, Path] = {}
    for picture in pictures:  # all are looked at before the first is written
        require_image_and_no_other_labels(picture, len(class_names))
        first = image_of.setdefault(label_path(picture.path), picture.path)
        if first is not picture.path:
            raise InputError(f"{picture.path}: has the same label file as {first}; rename one of them, or name it once")
    for picture in pictures:
        make_folder(label_path(picture.path).parent)
        write_boxes(label_path(picture.path), picture.boxes)
    write_list(arguments.out, class_names, [picture.path for picture in pictures])
    left_out = sum(picture.left_out for picture in pictures)
    if left_out:
        print(f"left out: {left_out} boxes that have no area within their picture")


def require_image_and_no_other_labels(picture: Picture, num_classes: int) -> None:
    """Raise InputError if the image is not there, or if a label file with other boxes is."""
    if not picture.path.is_file():
        raise InputError(f"{picture.path}: no such image; give the folder of the images with --images")
    labels = label_path(picture.path)
    if not labels.exists():
        return
    there = read_boxes(labels, num_classes)
    same = len(there) == len(picture.boxes) and (there["class"] == picture.boxes["class"]).all()
    if not same or np.abs(there["box"] - picture.boxes["box"]).max(initial=0) > SAME_BOX:
        raise InputError(f"{labels}: exists with other boxes; move it away, or import from a copy of the images")


def write_list(path: Path, class_names: Sequence[str], images: Sequence[Path]) -> None:
    """Write a list of images with the class list beside it; an earlier class list must agree with it."""
    folder = make_folder(path.parent)
    known = read_class_names(folder / ANNOTATIONS) if (folder / ANNOTATIONS).exists() else ()
    if list(known) != list(class_names)[: len(known)]:
        raise InputError(
            f"{folder / ANNOTATIONS}: has other classes than the source ({', '.join(known[:3])} ... there,"
            f" {', '.join(class_names[:3])} ... here); choose another folder with --out"
        )
    write_class_names(folder / ANNOTATIONS, class_names)
    write_lines(path, [relative(image, folder) for image in images])
    write_list_manifest(folder, class_names, [path.name])
    read = read_box_list(path, len(class_names))
    print(f"written: {path}: {len(images)} frames, {len(read.boxes.boxes)} boxes, {len(class_names)} classes")


def export(arguments: Namespace) -> None:
    """Write our list in another format."""
    class_names = read_class_names(arguments.source.parent / ANNOTATIONS)
    frames = read_box_list(arguments.source, len(class_names), arguments.root)
    boxes = frames.boxes
    unread = np.flatnonzero(boxes.sizes[:, 0] == 0)
    if len(unread):
        raise InputError(f"{arguments.source}:{unread[0] + 1}: {frames.paths[unread[0]]} cannot be read as an image")
    pictures = [
        Picture(Path(path), *map(int, boxes.sizes[row]), boxes.of(row)) for row, path in enumerate(frames.paths)
    ]
    if arguments.to == "yolo":
        beside = {part: arguments.source.parent / f"{part}.txt" for part in ("train", "val")}
        lists = {part: path for part, path in beside.items() if path.exists()} or {"train": arguments.source}
        write_yolo(
            arguments.out,
            class_names,
            {
                part: [Path(image) for image in read_file_list(path, len(class_names), arguments.root).paths]
                for part, path in lists.items()
            },
        )
    else:
        {"coco": write_coco, "voc": write_voc}[arguments.to](arguments.out, class_names, pictures)
    print(f"written: {arguments.out}: {len(pictures)} frames, {len(boxes.boxes)} boxes, {len(class_names)} classes")


if __name__ == "__main__":
    run_command(main)

"""Convert a list of another tool into a list for this project.

    python tool/import_list.py datas/train.txt --classes datas/annotations.txt --encoding gbk --out datasets2/train.txt
    python tool/import_list.py labels.csv --root frames --out datasets2/val.txt

Reads the lists of Awesome-Backbones and CSV files. A list of Awesome-Backbones has `path index` lines in any encoding;
its paths may contain backslashes and start at that project's folder (--root). A CSV file has a path column and a label
column; the labels are class names or indices. Writes the list, and annotations.txt and lists.json beside it. New class
names are appended. A torchvision ImageFolder needs no import: run python tool/get_annotation.py --dataset FOLDER.
"""

from pathlib import Path

from game_classifier.command import CommandParser, run_command
from game_classifier.datasets.cut_list import relative
from game_classifier.datasets.import_list import label_entries, read_foreign_list
from game_classifier.lists.classes import read_class_names, write_class_names
from game_classifier.lists.dataset import ANNOTATIONS
from game_classifier.lists.filelist import write_file_list
from game_classifier.lists.manifest import write_list_manifest
from game_classifier.storage import make_folder


def main() -> None:
    """Parse, read the other tool's list, write ours."""
    parser = CommandParser(__doc__)
    add = parser.add_argument
    add("source", type=Path, metavar="LIST", help="list or CSV file of another tool")
    add("--out", type=Path, required=True, metavar="FILE", help="list to write, such as datasets2/train.txt")
    add(
        "--classes",
        type=Path,
        metavar="FILE",
        help="class file that the indices refer to (default: annotations.txt beside --out)",
    )
    add("--root", type=Path, default=Path(), help="folder of the relative paths (default: the current folder)")
    add("--encoding", default="utf-8", help="encoding of the list (default: %(default)s)")
    add("--path-column", default="path", help="name of the path column in a CSV file (default: %(default)s)")
    add("--label-column", default="label", help="name of the label column in a CSV file (default: %(default)s)")
    arguments = parser.parse_args()

    entries = read_foreign_list(
        arguments.source, arguments.root, arguments.encoding, arguments.path_column, arguments.label_column
    )
    folder = arguments.out.parent
    classes = arguments.classes or folder / ANNOTATIONS
    known = read_class_names(classes) if arguments.classes or classes.exists() else ()
    labels, class_names = label_entries(entries, known)

    make_folder(folder)
    write_class_names(folder / ANNOTATIONS, class_names)
    write_file_list(arguments.out, [relative(entry.path, folder) for entry in entries], labels)
    write_list_manifest(folder, class_names, [arguments.out.name])
    new = class_names[len(known) :]
    print(f"written: {arguments.out}: {len(entries)} frames of {len(set(labels))} classes")
    if new:
        print(f"new classes, appended to {folder / ANNOTATIONS}: {', '.join(new)}")


if __name__ == "__main__":
    run_command(main)

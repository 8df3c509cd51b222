"""Write the class list and the lists of frames of a data set, and print a table of its classes.

    python tool/get_annotation.py --dataset datasets2
    python tool/get_annotation.py --dataset datasets2 --classes datas/annotations.txt --background menus_and_desktops

Writes DATASET/annotations.txt, train.txt, val.txt and, if there is a folder DATASET/test, test.txt. --background adds
background.txt, the list of frames that show none of the classes. DATASET may be a torchvision ImageFolder. Folds
(tool/split_data.py --folds) become the data sets DATASET/lists/foldK.
If a class file exists, its order is kept and new classes are appended, so no index changes its meaning.
Next: python src/main_train.py -i DATASET -o sv_train
"""

from pathlib import Path

from game_classifier.command import CommandParser, run_command
from game_classifier.datasets.write_lists import annotate
from game_classifier.pages.tables import class_counts_table


def main() -> None:
    """Parse, write the lists, print the table."""
    parser = CommandParser(__doc__)
    parser.add_argument(
        "--dataset",
        type=Path,
        required=True,
        help="folder with train/ and val/, or with the folds, as tool/split_data.py writes it",
    )
    parser.add_argument(
        "--classes",
        type=Path,
        metavar="FILE",
        help="class file to follow; new classes are appended to it (default: DATASET/annotations.txt)",
    )
    parser.add_argument(
        "--allow-missing", action="store_true", help="keep the index of a class that no longer has a folder"
    )
    parser.add_argument(
        "--background",
        type=Path,
        metavar="FOLDER",
        help="folder of images that show none of the classes; their list is DATASET/background.txt",
    )
    arguments = parser.parse_args()

    known = (arguments.classes or arguments.dataset / "annotations.txt").exists()
    new, counts, written = annotate(arguments.dataset, arguments.classes, arguments.allow_missing, arguments.background)
    print(class_counts_table(counts))
    if known and new:
        print(f"new classes, appended: {', '.join(new)}")
    print(f"written: {', '.join(map(str, written))}")


if __name__ == "__main__":
    run_command(main)

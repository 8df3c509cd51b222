"""Cut a list of frames, or a folder of images, into lists of equal length for batch prediction.

    python tool/shard_list.py test.txt --parts 20 --out lists
    python tool/shard_list.py new_frames/ --parts 20 --out lists

Writes OUT/NAME_000.txt and so on, with paths relative to OUT. The labels of a list are kept; images of a folder have
no labels.
Next: python src/predict_repvgg.py -w FILE.pt --input OUT --save save_npy_file
"""

from pathlib import Path

from game_classifier.command import CommandParser, positive, run_command
from game_classifier.datasets.cut_list import lines_of_folder, lines_of_list, write_shards
from game_classifier.lists.filelist import MAX_CLASSES, read_file_list


def main() -> None:
    """Parse, read the lines, write the parts."""
    parser = CommandParser(__doc__)
    parser.add_argument("source", type=Path, metavar="LIST_OR_FOLDER", help="list of frames, or folder of images")
    parser.add_argument("--parts", type=positive, required=True, help="number of lists to write")
    parser.add_argument("--out", type=Path, required=True, help="folder for the lists")
    parser.add_argument(
        "--root", type=Path, help="folder of the relative paths in the list (default: the list's own folder)"
    )
    arguments = parser.parse_args()

    if arguments.source.is_dir():
        lines = lines_of_folder(arguments.source, arguments.out)
    else:
        lines = lines_of_list(read_file_list(arguments.source, MAX_CLASSES, arguments.root), arguments.out)
    name = arguments.source.resolve().name if arguments.source.is_dir() else arguments.source.stem
    lengths = write_shards(lines, arguments.parts, arguments.out, name)
    print(f"{len(lines)} lines in {len(lengths)} lists of {min(lengths)} to {max(lengths)} lines in {arguments.out}")


if __name__ == "__main__":
    run_command(main)

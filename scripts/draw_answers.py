"""Draw frames with the answers of a trained network into one picture, such as the one in README.md.

    python scripts/draw_answers.py -w demo/save_pt_pth_file/repvgg_a0_cpp_deploy.pt --input demo/datasets2/val.txt

The frames are spaced evenly over each list, so nobody chooses them. A caption gives the likeliest class and its
probability. A wrong answer is red and followed by the true class.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

import game_classifier
from game_classifier.command import CommandParser, positive, run_command
from game_classifier.errors import InputError
from game_classifier.frames.decode import FrameError, read_whole_frame
from game_classifier.lists.filelist import UNLABELLED, read_file_list
from game_classifier.storage import replacing

WIDTH, HEIGHT = 320, 180  # of one frame, in pixels
CAPTION = 24  # height of the line under a frame
GAP = 6
BACKGROUND, RIGHT, WRONG = "white", "#1a7f37", "#cf222e"


def main() -> None:
    """Parse, classify, draw."""
    parser = CommandParser(__doc__)
    add = parser.add_argument
    add("-w", "--weights", type=Path, required=True, help="deployed file or checkpoint")
    add("--input", type=Path, nargs="+", required=True, metavar="LIST", help="lists of frames; each gets its own rows")
    add("--columns", type=positive, default=4, help="frames in a row (default: %(default)s)")
    add("--rows", type=positive, default=2, help="rows for each list (default: %(default)s)")
    add("-o", "--output", type=Path, default=Path("frames.jpg"), help="picture (default: %(default)s)")
    arguments = parser.parse_args()

    if not arguments.output.parent.is_dir():
        raise InputError(f"{arguments.output.parent}: no such folder; create it, or choose another one with -o")
    classifier = game_classifier.load(arguments.weights)
    tiles = [
        tile
        for source in arguments.input
        for tile in answered_frames(classifier, source, arguments.columns * arguments.rows)
    ]
    with replacing(arguments.output) as temporary:
        draw_grid(tiles, arguments.columns).save(temporary, "JPEG", quality=85)
    print(f"written: {arguments.output}")


def answered_frames(
    classifier: game_classifier.Classifier, source: Path, count: int
) -> Iterator[tuple[np.ndarray, str, bool]]:
    """(frame uint8 [H, W, 3], caption, whether the answer is right) of `count` frames of a list."""
    frames = read_file_list(source, len(classifier.class_names))
    # The middles of equal parts: the ends of a sorted list are always the same two classes.
    rows = ((np.arange(count) + 0.5) * len(frames) / count).astype(int)
    for row in np.unique(rows):
        try:
            frame = read_whole_frame(frames.paths[row])
        except FrameError as error:
            raise InputError(
                f"{source}: line {row + 1}: {frames.paths[row]} cannot be read ({error}); take the line out"
            ) from None
        # Read again as the commands read it: decoded at a reduced scale.
        answer = next(classifier.classify_files([frames.paths[row]]))
        caption, label = f"{answer.class_name} {answer.probability:.2f}", frames.labels[row]
        right = label in (UNLABELLED, classifier.class_names.index(answer.class_name))
        yield frame, caption if right else f"{caption}, not {classifier.class_names[label]}", right


def draw_grid(tiles: list[tuple[np.ndarray, str, bool]], columns: int) -> Image.Image:
    """The frames in rows of `columns`, each above its caption."""
    rows = -(-len(tiles) // columns)
    picture = Image.new("RGB", (columns * (WIDTH + GAP) - GAP, rows * (HEIGHT + CAPTION + GAP) - GAP), BACKGROUND)
    draw, font = ImageDraw.Draw(picture), ImageFont.load_default(16)
    for number, (frame, caption, right) in enumerate(tiles):
        left, top = number % columns * (WIDTH + GAP), number // columns * (HEIGHT + CAPTION + GAP)
        picture.paste(Image.fromarray(frame).resize((WIDTH, HEIGHT), Image.Resampling.LANCZOS), (left, top))
        draw.text((left + 2, top + HEIGHT + 2), caption, RIGHT if right else WRONG, font)
    return picture


if __name__ == "__main__":
    run_command(main)

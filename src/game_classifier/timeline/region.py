"""The part of a frame that shows the game, found by a detector: a frame is cut to it before it is classified."""

from functools import partial
from pathlib import Path

import numpy as np

from game_classifier.errors import InputError
from game_classifier.frames.video_frame import Find, Rectangle, Resize
from game_classifier.runtime.fastest import fastest_file
from game_classifier.runtime.runner import Infer, Runner, load_runner
from game_classifier.tasks.detection.found import found_boxes

GAME = "game"  # the class, as tool/record_objects.py --style stream names it
LEAST_SCORE = 0.5  # of the game's box; below, the detector rather sees none
# Of each side of the frame. A phone's game (9:16) in a frame of 16:9 has 0.32 of its width at full height, and still
# 0.2 at 64% of it. A smaller box is rather a mistake, and of 480 rows it leaves less than 96, too few for a network.
LEAST_SIDE = 0.2


def load_region(path: Path) -> "Region":
    """Load a detector's file, or the one made with it that runs fastest here."""
    return Region(load_runner(fastest_file(path, "auto")))


class Region:
    """Finds the game's best box; InputError if `runner` is not a detector's, or does not know the class."""

    def __init__(self, runner: Runner) -> None:
        self.runner = runner.require_detector()
        if GAME not in runner.class_names:
            raise InputError(
                f"{runner.source}: a detector without the class {GAME!r}, of {', '.join(runner.class_names)}; train one"
                " on frames of tool/record_objects.py --style stream"
            )
        self.game = runner.class_names.index(GAME)
        self.origin = {
            "model_sha256": runner.sha256(),
            "runtime": runner.runtime,
            "precision": runner.precision,
            "least_score": LEAST_SCORE,
            "least_side": LEAST_SIDE,
        }

    def finders(self, count: int) -> list[Find]:
        """`count` callables, one for each thread of the caller; each runs in that thread alone.

        Each takes a frame uint8 [H, W, 3] and what resizes it for the detector, such as resize_frame. It returns the
        game's best box as a `rectangle`, or None if there is none with a score above LEAST_SCORE.
        The answer depends on this frame alone: the detector sees one at a time.
        """
        return [partial(self._find, infer) for infer in self.runner.workers(count, 1)]

    def _find(self, infer: Infer, frame: np.ndarray, resize: Resize) -> Rectangle | None:
        size = self.runner.preprocessing
        answers = infer(resize(frame, size)[None])
        (found,) = found_boxes(answers, np.array([frame.shape[:2]]), size, LEAST_SCORE)
        regions = (rectangle(box, frame) for box in found["box"][found["class"] == self.game])  # best first
        return next((region for region in regions if region), None)


def rectangle(box: np.ndarray, frame: np.ndarray) -> Rectangle | None:
    """A box float [4], x1 y1 x2 y2 in pixels of a frame [H, W, 3], in whole pixels.

    None if it has less than LEAST_SIDE of a side of the frame.
    """
    x1, y1, x2, y2 = np.rint(box).astype(int).tolist()
    height, width = frame.shape[:2]
    return (x1, y1, x2, y2) if x2 - x1 >= LEAST_SIDE * width and y2 - y1 >= LEAST_SIDE * height else None

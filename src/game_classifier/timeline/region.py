"""The part of a frame that shows the game, found by a detector: a frame is cut to it before it is classified."""

from functools import partial
from pathlib import Path

import numpy as np

from game_classifier.errors import InputError
from game_classifier.frames.video_frame import Cut, Resize
from game_classifier.runtime.fastest import fastest_file
from game_classifier.runtime.runner import Infer, Runner, load_runner
from game_classifier.tasks.detection.found import found_boxes

GAME = "game"  # the class, as tool/record_objects.py --style stream names it
LEAST_SCORE = 0.5  # of the game's box; below, the detector rather sees none


def load_region(path: Path) -> "Region":
    """Load a detector's file, or the one made with it that runs fastest here."""
    return Region(load_runner(fastest_file(path, "auto")))


class Region:
    """Cuts frames to the game's best box; InputError if `runner` is not a detector's, or does not know the class."""

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
        }

    def cuts(self, count: int) -> list[Cut]:
        """`count` callables, one for each thread of the caller; each runs in that thread alone.

        Each takes a frame uint8 [H, W, 3] and what resizes it for the detector, such as resize_frame. It returns the
        part within the game's box, to whole pixels, or the very same frame if no box has a score above LEAST_SCORE.
        The answer depends on this frame alone: the detector sees one at a time.
        """
        return [partial(self._cut, infer) for infer in self.runner.workers(count, 1)]

    def _cut(self, infer: Infer, frame: np.ndarray, resize: Resize) -> np.ndarray:
        size = self.runner.preprocessing
        answers = infer(resize(frame, size)[None])
        (found,) = found_boxes(answers, np.array([frame.shape[:2]]), size, LEAST_SCORE)
        for box in found["box"][found["class"] == self.game]:  # best first
            left, top, right, bottom = np.rint(box).astype(int).tolist()
            if left < right and top < bottom:
                return np.ascontiguousarray(frame[top:bottom, left:right])
        return frame

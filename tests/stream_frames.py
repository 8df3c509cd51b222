"""Frames of a game in a white page, and detectors that find what a test wants."""

from dataclasses import replace

import numpy as np
from videos import picture

from game_classifier.frames.decode import Preprocessing

NAMES = ("webcam", "game", "chat")
GAME = NAMES.index("game")
SIZE = Preprocessing(64, 64, "letterbox", (0.0,) * 3, (1.0,) * 3)
SQUASH = replace(SIZE, resize="squash")
STREAM = (320, 180)  # width, height
PLACES = ((40, 20, 240, 140), (100, 60, 300, 170))  # of the game, as its box; x1 y1 x2 y2


def with_answer(runner, infer, preprocessing=SIZE):
    """The runner with other answers."""
    return replace(
        runner, preprocessing=preprocessing, infer=infer, make_workers=lambda count, batch_size: [infer] * count
    )


def planted(*found: tuple[tuple[float, float, float, float], str, float]):
    """A network that always finds these boxes, in pixels of its frame, of a class and with a score."""
    boxes = np.array([[box for box, _, _ in found]], np.float32)
    scores = np.zeros((1, len(found), len(NAMES)), np.float32)
    for number, (_, name, score) in enumerate(found):
        scores[0, number, NAMES.index(name)] = score
    return lambda frames: (boxes, scores)


def stream_frame(class_index: int, place: int | None) -> np.ndarray:
    """A frame of a game; in a white page at `place` of PLACES, or alone."""
    if place is None:
        return picture(class_index, 0, STREAM)
    x1, y1, x2, y2 = PLACES[place]
    frame = np.full((STREAM[1], STREAM[0], 3), 255, np.uint8)
    frame[y1:y2, x1:x2] = picture(class_index, 0, (x2 - x1, y2 - y1))
    return frame


def seeing_games(frames):
    """A perfect detector of `stream_frame`: what is not white; of a game alone it sees nothing."""
    dark = frames[0].min(-1) < 200
    rows, columns = np.flatnonzero(dark.any(1)), np.flatnonzero(dark.any(0))
    if len(rows) in (0, 64) or len(columns) in (0, 64):
        return planted(((0, 0, 1, 1), "game", 0.0))(frames)
    return planted(((columns[0], rows[0], columns[-1] + 1, rows[-1] + 1), "game", 0.9))(frames)

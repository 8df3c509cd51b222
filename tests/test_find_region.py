"""Finding the game's region on a frame: its box to whole pixels, or nothing."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from conftest import random_detector
from stream_frames import NAMES, PLACES, SIZE, STREAM, planted, with_answer

from game_classifier.frames.decode import resize_frame
from game_classifier.frames.video_frame import cut_out
from game_classifier.runtime.runner import load_runner
from game_classifier.timeline.region import Region


@pytest.fixture(scope="module")
def weights(tmp_path_factory) -> Path:
    return random_detector(tmp_path_factory.mktemp("region") / "random.pth", SIZE, NAMES)


def finder(weights, infer, preprocessing=SIZE):
    (find,) = Region(with_answer(load_runner(weights), infer, preprocessing)).finders(1)
    return find


FRAME = np.random.default_rng(0).integers(0, 255, (STREAM[1], STREAM[0], 3), dtype=np.uint8)


def on_network(box, preprocessing):
    """A box of FRAME in pixels of the network's frame."""
    x1, y1, x2, y2 = box
    if preprocessing.resize == "squash":
        return x1 / 5, y1 * 64 / 180, x2 / 5, y2 * 64 / 180
    return x1 / 5, y1 / 5 + 14, x2 / 5, y2 / 5 + 14  # 64 x 36 with 14 black rows above and below


@pytest.mark.parametrize("resize", ["letterbox", "squash"])
def test_the_cut_is_exact_and_at_full_resolution(weights, resize):
    size = replace(SIZE, resize=resize)
    best, other = (on_network(box, size) for box in PLACES)
    find = finder(weights, planted((other, "game", 0.6), (best, "game", 0.9), ((0, 0, 64, 64), "chat", 0.99)), size)
    x1, y1, x2, y2 = region = find(FRAME, resize_frame)
    assert region == PLACES[0]
    part = cut_out(FRAME, region)
    assert np.array_equal(part, FRAME[y1:y2, x1:x2])
    assert part.flags.c_contiguous


def test_without_a_good_box_of_the_game_the_frame_stays_whole(weights):
    box = on_network(PLACES[0], SIZE)
    beside = (0, 0, 64, 13)  # on the black rows
    thin = (10, 20, 10.01, 40)
    for found in ((box, "game", 0.49), (box, "webcam", 0.9), (beside, "game", 0.9), (thin, "game", 0.9)):
        assert finder(weights, planted(found))(FRAME, resize_frame) is None
    assert cut_out(FRAME, None) is FRAME
    # The next best box of the game is taken then.
    find = finder(weights, planted((beside, "game", 0.9), (thin, "game", 0.8), (box, "game", 0.7)))
    assert find(FRAME, resize_frame) == PLACES[0]


def test_a_box_under_a_fifth_of_a_side_is_not_the_game(weights):
    """Of 320 x 180 pixels: under 64 or under 36."""
    least = (40, 20, 104, 56)
    found = on_network(least, SIZE), "game", 0.6
    assert finder(weights, planted(found))(FRAME, resize_frame) == least
    for box in ((40, 20, 41, 21), (40, 20, 103, 56), (40, 20, 104, 55)):
        assert finder(weights, planted((on_network(box, SIZE), "game", 0.9)))(FRAME, resize_frame) is None
    for box in ((40, 0, 103, 180), (0, 20, 320, 55)):  # the next best one is taken
        small = on_network(box, SIZE), "game", 0.9
        assert finder(weights, planted(small, found))(FRAME, resize_frame) == least


def test_the_detector_sees_one_frame_of_its_own_size(weights):
    seen = []

    def infer(frames):
        seen.append(frames)
        return planted((on_network(PLACES[0], SIZE), "game", 0.9))(frames)

    finder(weights, infer)(FRAME, resize_frame)
    assert np.array_equal(seen[0], resize_frame(FRAME, SIZE)[None])

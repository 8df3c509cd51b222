"""Boxes from a game's memory, fitted to the picture, and the boxes of a stream's layout."""

import numpy as np
import pytest
from PIL import Image

from game_classifier.demo.frame_style import FrameStyle
from game_classifier.demo.object_boxes import fit, fitted_boxes
from game_classifier.demo.object_games import OBJECTS, object_classes
from game_classifier.demo.stream_style import PARTS, StreamStyle
from game_classifier.lists.label_files import read_boxes

HEIGHT, WIDTH = 40, 60


@pytest.fixture
def screen() -> np.ndarray:
    """Stripes as of water and sky, and a sprite with corners (20, 10) and (28, 16)."""
    pixels = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    pixels[::3] = 90
    pixels[10:16, 20:28] = np.random.default_rng(0).integers(100, 256, (6, 8, 3))
    return pixels


def boxes(screen, *objects, labels=None) -> list:
    found = fitted_boxes(screen, objects, labels or {"Shark": 1})
    return [(label, *np.round(box * np.array([WIDTH, HEIGHT, WIDTH, HEIGHT])).astype(int)) for label, box in found]


@pytest.mark.parametrize(
    "memory",
    [
        (20, 10, 28, 16),  # right
        (16, 6, 31, 22),  # too large
        (21, 11, 27, 15),  # a pixel too small on each side
    ],
)
def test_a_box_is_fitted_to_what_the_picture_shows(screen, memory):
    assert fit(memory, screen) == (20, 10, 28, 16)


def test_a_box_on_one_colour_is_fitted_too():
    plain = np.full((HEIGHT, WIDTH, 3), 50, np.uint8)
    plain[10:16, 20:28] = 200
    assert fit((15, 5, 35, 30), plain) == (20, 10, 28, 16)
    plain[22, 5:30] = 90  # an end of a bar: once the columns on its right are gone, it goes through
    assert fit((15, 5, 35, 30), plain) == (20, 10, 28, 16)
    plain[22] = 50
    plain[12, 40] = 90  # another object in the box: only a look at the picture can tell that it is not a part
    assert fit((15, 5, 45, 30), plain) == (20, 10, 41, 16)


def test_objects_at_the_edge_are_cut_there(screen):
    screen[20:30, 54:] = 255
    assert fit((50, 18, 70, 33), screen) == (54, 20, WIDTH, 30)
    screen[:, :8] = 0  # many games have no picture there
    assert fit((-3, 10, 8, 16), screen) is None
    screen[HEIGHT - 5 :, 5:9] = 255
    assert fit((3, HEIGHT - 5, 12, HEIGHT + 9), screen) == (5, HEIGHT - 5, 9, HEIGHT)


def test_what_shows_no_object_is_left_out(screen):
    shark = ("Shark", 20, 10, 8, 6)
    assert boxes(screen, shark) == [(1, 20, 10, 28, 16)]
    nothing = [
        ("Shark", 40, 20, 8, 9),  # background
        ("Shark", 20, 10, 0, 6),  # no width
        ("Shark", 20, 10, 8, 0),
        ("Shark", 20, 10, -8, 6),
        ("Shark", 200, 10, 8, 6),  # outside
        ("Shark", -30, 10, 8, 6),
        ("Shark", 20, -20, 8, 6),
        ("Shark", 27, 10, 30, 6),  # less than a fifth of it shows the sprite's edge
        ("Diver", 20, 10, 8, 6),  # no class
        shark,  # again
    ]
    assert boxes(screen, shark, *nothing) == boxes(screen, shark)
    assert boxes(screen, *nothing[:-1]) == []
    assert len(boxes(screen, shark, ("Whale", *shark[1:]), labels={"Shark": 1, "Whale": 0})) == 2


def test_there_are_20_to_40_classes_of_about_16_games():
    names = [name for game in OBJECTS for name in object_classes(game)]
    assert len(OBJECTS) == 16
    assert 20 <= len(names) <= 40
    assert len(set(names)) == len(names)
    assert {"seaquest/shark", "pong/score", "demon_attack/lives"} <= set(names)
    assert object_classes("pong") == ["pong/player", "pong/enemy", "pong/ball", "pong/score"]


def test_the_boxes_of_a_layout_lie_where_its_parts_are_drawn():
    screen = Image.new("RGB", (160, 210), (255, 0, 255))
    seen = set()
    for seed in range(25):
        style = StreamStyle(np.random.default_rng(seed), (640, 360))
        style.background = "black"
        frame = np.asarray(style.show(screen)[0]).astype(int)
        parts = style.seen()
        seen |= set(parts)
        assert (style.webcam_corner == "none") == ("webcam" not in parts)
        assert (style.banner == "") == ("banner" not in parts)
        if style.chat_side == "none":
            assert "chat" not in parts
        game = np.nonzero((frame == (255, 0, 255)).all(axis=2))
        assert extent(*game) == pytest.approx(parts["game"], abs=2)
        assert parts.get("chat", parts["game"])[1] >= 0
        if "banner" in parts:
            x1, y1, x2, y2 = parts["banner"]
            banner = (frame == style.colour).all(axis=2)
            assert banner[y1:y2, x1:x2].mean() > 0.9
        rest = frame.copy()
        for x1, y1, x2, y2 in parts.values():
            rest[y1:y2, x1:x2] = 0
        assert (rest > 0).mean() < 0.001  # outside of all boxes is background alone
    assert seen == set(PARTS)


def extent(rows: np.ndarray, columns: np.ndarray) -> tuple:
    return columns.min(), rows.min(), columns.max() + 1, rows.max() + 1


def test_a_part_that_others_hide_has_no_box():
    style = StreamStyle(np.random.default_rng(0), (640, 360))
    style.drawn = [("chat", (0, 0, 100, 50)), ("webcam", (0, 0, 85, 50)), ("banner", (0, 40, 640, 60))]
    assert style.seen() == {"webcam": (0, 0, 85, 40), "banner": (0, 40, 640, 60)}
    style.drawn[1] = ("webcam", (0, 0, 60, 50))
    assert style.seen()["chat"] == (60, 0, 100, 40)


def test_a_frame_of_a_layout_gets_a_label_file(tmp_path):
    style = FrameStyle("layout", (0, 0), np.random.default_rng(1))
    style.save(Image.new("RGB", (160, 210), "red"), tmp_path / "00_00060.jpg")
    frame = Image.open(tmp_path / "images" / "00_00060.jpg")
    labels = read_boxes(tmp_path / "labels" / "00_00060.txt", len(PARTS))
    expected = style.stream.seen()
    assert {PARTS[label] for label in labels["class"]} == set(expected)
    for label, box in labels:
        assert box * np.tile(frame.size, 2) == pytest.approx(expected[PARTS[label]], abs=0.01)

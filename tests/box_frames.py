"""A small data set with boxes: coloured rectangles on noise, which a detector learns in a minute."""

from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import nn

from game_classifier.frames.decode import Preprocessing
from game_classifier.lists.label_files import BOX, label_path, write_boxes
from game_classifier.models.checkpoint import Checkpoint
from game_classifier.models.zoo import build_model

NETWORK = "yolov5n_detector"
COLOURS = {"red": (220, 40, 40), "green": (40, 200, 60), "blue": (50, 60, 230)}


def draw_rectangles(seed: int, size: tuple[int, int] = (128, 96)) -> tuple[Image.Image, np.ndarray]:
    """A frame of `size` (width, height) with up to four rectangles that do not overlap, one in each quarter."""
    random = np.random.default_rng(seed)
    pixels = random.integers(0, 60, (size[1], size[0], 3), dtype=np.uint8)
    boxes = []
    for quarter in range(4):
        if quarter and random.random() < 0.4:
            continue
        label = int(random.integers(len(COLOURS)))
        width, height = random.uniform(0.15, 0.4, 2)
        x, y = random.uniform(0.02, 0.48 - np.array([width, height])) + np.array([quarter % 2, quarter // 2]) / 2
        corners = [round(x * size[0]), round(y * size[1]), round((x + width) * size[0]), round((y + height) * size[1])]
        pixels[corners[1] : corners[3], corners[0] : corners[2]] = list(COLOURS.values())[label]
        boxes.append((label, np.array(corners) / (size * 2)))
    return Image.fromarray(pixels), np.array(boxes, BOX)


def labelled_picture(path: Path) -> Path:
    """A black picture with a box of class 0 in its middle."""
    for folder in (path.parent, label_path(path).parent):
        folder.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (80, 40)).save(path)
    label_path(path).write_text("0 0.5 0.5 0.5 0.5\n")
    return path


def make_box_dataset(folder: Path, train: int, val: int) -> Path:
    """A data set of `draw_rectangles` with its lists; the last training frame is background."""
    (folder / "annotations.txt").parent.mkdir(parents=True, exist_ok=True)
    (folder / "annotations.txt").write_text("".join(f"{name} {index}\n" for index, name in enumerate(COLOURS)))
    for part, count, first in (("train", train, 0), ("val", val, 10_000)):
        lines = []
        for number in range(count):
            image, boxes = draw_rectangles(first + number)
            if part == "train" and number == count - 1:
                image, boxes = Image.new("RGB", image.size), np.zeros(0, BOX)
            path = folder / part / "images" / f"{number:03d}.png"
            label_path(path).parent.mkdir(parents=True, exist_ok=True)
            path.parent.mkdir(parents=True, exist_ok=True)
            image.save(path)
            write_boxes(label_path(path), boxes)
            lines.append(f"{part}/images/{path.name}\n")
        (folder / f"{part}.txt").write_text("".join(lines))
    return folder


def drawn_frames(count: int, size: tuple[int, int] = (64, 64), first: int = 0) -> np.ndarray:
    """uint8 [count, H, W, 3] of `size` (width, height)."""
    return np.stack([np.asarray(draw_rectangles(first + number, size)[0]) for number in range(count)])


def untrained(resize: str = "letterbox") -> Checkpoint:
    """Random weights that see objects everywhere, in other places and of other classes on other frames."""
    torch.manual_seed(0)
    network = build_model(NETWORK, len(COLOURS))
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = 1.0  # so that signals neither fade nor grow over the layers
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.uniform_(module.bias, -0.3, 0.3)
    with torch.no_grad():
        pixels = torch.from_numpy(drawn_frames(16, first=900)).permute(0, 3, 1, 2) / 255
        for convolution, output in zip(network.head.outputs, network.train()(pixels), strict=True):
            convolution.weight /= output.std()
            convolution.bias.view(3, 8)[:, 4] += 6  # a fresh head expects hardly any object
    size = Preprocessing(64, 64, resize, (0.0,) * 3, (1.0,) * 3)
    return Checkpoint(NETWORK, tuple(COLOURS), size, network.state_dict(), 1)

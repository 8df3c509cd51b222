"""The parts of detection against cases reckoned by hand, and average precision against pycocotools."""

import contextlib
import io
import math

import numpy as np
import pytest
import torch
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval
from torchvision.transforms.v2.functional import adjust_saturation

from game_classifier.frames.augment import Augmentation, turn_colours
from game_classifier.frames.decode import Preprocessing, resize_frames
from game_classifier.lists.box_list import FrameBoxes
from game_classifier.lists.label_files import BOX
from game_classifier.tasks.detection.anchor_loss import anchor_loss
from game_classifier.tasks.detection.anchor_matching import match
from game_classifier.tasks.detection.anchors import cluster_sides, fitting_share
from game_classifier.tasks.detection.augment import BoxAugmentation, augment_boxes, join_boxes, join_frames
from game_classifier.tasks.detection.average_precision import (
    FOUND,
    TRUE,
    FrameResult,
    average_precision,
    coco_found,
    coco_truth,
)
from game_classifier.tasks.detection.confusion import add_frame
from game_classifier.tasks.detection.geometry import Targets, clipped, pictures, to_file, to_targets
from game_classifier.tasks.detection.nms import select_boxes
from game_classifier.tasks.detection.scores import BoxScores

STILL = Augmentation(zoom=0, shift=0, brightness=0, contrast=0, erase=0, stream=0)


def frame_boxes(*frames: tuple[tuple[int, int], list]) -> FrameBoxes:
    """FrameBoxes of ((height, width), [(class, corners)]) for each frame."""
    starts = np.cumsum([0, *(len(boxes) for _, boxes in frames)])
    sizes = np.array([size for size, _ in frames], np.int32)
    return FrameBoxes(
        np.arange(len(frames)), sizes, starts, np.array([box for _, boxes in frames for box in boxes], BOX)
    )


def targets_of(*rows: tuple[int, int, list[float]]) -> Targets:
    frame, label, box = zip(*rows, strict=True)
    return Targets(torch.tensor(frame), torch.tensor(label), torch.tensor(box))


# Places.


@pytest.mark.parametrize("resize", ["squash", "letterbox", "center_crop"])
def test_boxes_lie_on_what_they_were_drawn_around(resize):
    """A bright rectangle of a wide picture is where its box says after resizing."""
    pixels = torch.zeros(1, 3, 120, 320, dtype=torch.uint8)
    pixels[:, :, 24:72, 120:200] = 255
    boxes = frame_boxes(((120, 320), [(1, (120 / 320, 24 / 120, 200 / 320, 72 / 120))]))
    preprocessing = Preprocessing(64, 96, resize)
    targets = to_targets(boxes, preprocessing)
    bright = resize_frames(pixels, 64, 96, resize)[0, 0] > 127
    rows, columns = bright.any(1).nonzero().squeeze(1), bright.any(0).nonzero().squeeze(1)
    x1, y1, x2, y2 = (targets.box[0] * torch.tensor([96, 64, 96, 64])).tolist()
    assert abs(x1 - columns[0]) <= 1 and abs(x2 - columns[-1] - 1) <= 1
    assert abs(y1 - rows[0]) <= 1 and abs(y2 - rows[-1] - 1) <= 1
    back = to_file(np.array([[x1, y1, x2, y2]], np.float32), pictures(boxes.sizes, preprocessing)[0], boxes.sizes[0])
    np.testing.assert_allclose(back, [[120, 24, 200, 72]], atol=0.01)


def test_a_box_that_is_mostly_outside_is_left_out():
    targets = targets_of((0, 0, [-0.3, 0.0, 0.1, 1.0]), (0, 1, [-0.1, 0.0, 0.1, 1.0]), (1, 2, [1.1, 0.0, 1.2, 1.0]))
    kept = clipped(targets, 0.3)
    assert kept.label.tolist() == [1]
    torch.testing.assert_close(kept.box, torch.tensor([[0.0, 0.0, 0.1, 1.0]]))


# Matching and loss.


def found_cells(matches) -> set[tuple[int, int, int, int]]:
    return set(zip(*(getattr(matches, name).tolist() for name in ("target", "anchor", "row", "column")), strict=True))


def test_a_box_goes_to_its_cell_and_the_two_nearest():
    """Centre (3.3, 2.8) of a box of 2 x 2 cells: the nearest neighbours are on the left and below."""
    box = torch.tensor([[2.3, 1.8, 4.3, 3.8]])
    assert found_cells(match(box, torch.tensor([[2.0, 2.0]]), 8, 8)) == {(0, 0, 2, 3), (0, 0, 2, 2), (0, 0, 3, 3)}


def test_there_is_no_neighbour_beyond_the_edge():
    box = torch.tensor([[-0.8, -0.8, 1.2, 1.2], [6.8, 6.8, 8.8, 8.8]])  # centres (0.2, 0.2) and (7.8, 7.8)
    assert found_cells(match(box, torch.tensor([[2.0, 2.0]]), 8, 8)) == {(0, 0, 0, 0), (1, 0, 7, 7)}


def test_an_anchor_learns_boxes_of_up_to_four_times_its_sides():
    anchors = torch.tensor([[1.0, 1.0], [1.0, 0.3], [8.1, 2.0]])
    box = torch.tensor([[3.0, 3.0, 5.0, 4.3]])  # 2 x 1.3: ratios 2, 1.3; 2, 4.33; 4.05, 1.54
    assert {anchor for _, anchor, _, _ in found_cells(match(box, anchors, 8, 8))} == {0}


def test_the_loss_by_hand():
    """One box in one level: three places learn it, with outputs that all are 0."""
    outputs = [torch.zeros(1, 4, 4, 1, 7)]
    outputs += [torch.zeros(1, 2, 2, 1, 7), torch.zeros(1, 1, 1, 1, 7)]
    anchors = torch.tensor([[[1.0, 1.0]], [[1e-3, 1e-3]], [[1e-3, 1e-3]]])  # only the first level fits
    targets = targets_of((0, 1, [0.2, 0.2, 0.5, 0.5]))  # in cells: 0.8 to 2, centre 1.4, side 1.2
    # Decoded boxes are a cell wide, in the middle of the cells (1, 1), (0, 1) and (1, 0).
    wanted = (0.8, 0.8, 2.0, 2.0)
    overlaps = []
    for x, y in ((1, 1), (0, 1), (1, 0)):
        shared = max(0, min(x + 1, wanted[2]) - max(x, wanted[0])) * max(0, min(y + 1, wanted[3]) - max(y, wanted[1]))
        iou = shared / (1 + 1.44 - shared)
        distance = (x + 0.5 - 1.4) ** 2 + (y + 0.5 - 1.4) ** 2
        across = (max(x + 1, 2) - min(x, 0.8)) ** 2 + (max(y + 1, 2) - min(y, 0.8)) ** 2
        overlaps.append(iou - distance / across)  # squares both: nothing for the shape
    box = 1 - sum(overlaps) / 3
    # The cross-entropy of a logit of 0 is log 2 whatever the target is.
    objectness = (4.0 + 1.0 + 0.4) * math.log(2) * (32 * 32) / 640**2
    label = math.log(2)
    expected = 64 * (0.05 * box + objectness + 0.5 * 2 / 80 * label)
    loss = anchor_loss(outputs, targets, anchors, (8, 16, 32), 2)
    assert loss.item() == pytest.approx(expected, rel=1e-5)


def test_objectness_learns_the_overlap():
    outputs = [torch.zeros(1, side, side, 1, 7, requires_grad=True) for side in (4, 2, 1)]
    anchors = torch.tensor([[[1.0, 1.0]], [[1e-3, 1e-3]], [[1e-3, 1e-3]]])
    targets = targets_of((0, 1, [0.25, 0.25, 0.5, 0.5]))  # exactly the cell (1, 1)
    anchor_loss(outputs, targets, anchors, (8, 16, 32), 2).backward()
    slope = outputs[0].grad[0, :, :, 0, 4]
    assert slope[1, 1] < 0  # IoU 1 is above sigmoid(0)
    assert (slope[2:] > 0).all()
    assert outputs[0].grad[0, 1, 1, 0, 5] > 0 > outputs[0].grad[0, 1, 1, 0, 6]


def test_the_loss_of_background_is_finite_and_has_a_gradient_everywhere():
    outputs = [torch.randn(2, side, side, 3, 6, requires_grad=True) for side in (4, 2, 1)]
    nothing = Targets(torch.zeros(0, dtype=torch.long), torch.zeros(0, dtype=torch.long), torch.zeros(0, 4))
    loss = anchor_loss(outputs, nothing, torch.ones(3, 3, 2), (8, 16, 32), 1)
    loss.backward()
    assert loss.isfinite()
    assert all((each.grad[..., 4] != 0).all() for each in outputs)


@pytest.mark.parametrize("thin", [[2], [3], [2, 3]])
def test_a_found_box_without_width_or_height_has_a_finite_gradient(thin):
    """CIoU divides width by height, and in float32 the corners of such a box are the same number."""
    outputs = [torch.zeros(1, side, side, 1, 7) for side in (4, 2, 1)]
    for output in outputs:
        output[..., thin] = -40.0  # the sigmoid of which is 0
        output.requires_grad_()
    anchors = torch.tensor([[[1.0, 1.0]], [[1e-3, 1e-3]], [[1e-3, 1e-3]]])
    loss = anchor_loss(outputs, targets_of((0, 1, [0.2, 0.2, 0.5, 0.5])), anchors, (8, 16, 32), 2)
    loss.backward()
    assert loss.isfinite()
    assert all(each.grad.isfinite().all() for each in outputs)
    assert outputs[0].grad.any()


# Anchors.


def test_anchors_of_two_kinds_of_boxes_are_found():
    random = np.random.default_rng(0)
    kinds = np.array([[4, 40], [60, 12]])
    sides = np.concatenate([kind * np.exp(random.normal(0, 0.05, (50, 2))) for kind in kinds]).astype(np.float32)
    found = cluster_sides(sides, 2, seed=0)
    np.testing.assert_allclose(found, kinds, rtol=0.05)
    assert fitting_share(found, sides) == 1
    assert fitting_share(np.array([[4, 40]]), sides) == 0.5


# Augmentation.


@pytest.mark.parametrize(("mosaic", "flip"), [(0, 0), (0, 1), (1, 0), (1, 1), (0.5, 0.5)])
def test_boxes_move_with_the_pixels(mosaic, flip):
    """Each frame has one rectangle of its own brightness; its box is around it after any change."""
    count, side = 8, 64
    frames = torch.zeros(count, 3, side, side, dtype=torch.uint8)
    rows = []
    for number in range(count):
        x, y, width, height = 4 + 4 * number, 40 - 4 * number, 20, 16
        frames[number, :, y : y + height, x : x + width] = 100 + 20 * number
        rows.append((number, number, [x / side, y / side, (x + width) / side, (y + height) / side]))
    change = BoxAugmentation(Augmentation(0.3, 0.15, 0, 0, 0, 0), mosaic, flip)
    generator = torch.Generator().manual_seed(1)
    pixels, targets = augment_boxes(frames, targets_of(*rows), (96, 96), change, generator)
    assert pixels.shape == (count, 3, 96, 96)
    assert len(targets.frame) >= count - 2
    for frame, label, box in zip(targets.frame, targets.label, targets.box, strict=True):
        is_colour = (pixels[frame, 0] - (100 + 20 * label)).abs() < 2
        x1, y1, x2, y2 = (96 * box).round().int().tolist()
        assert is_colour[y1 + 2 : y2 - 2, x1 + 2 : x2 - 2].all()
        ring = torch.zeros(96, 96, dtype=torch.bool)
        ring[max(0, y1 - 2) : y2 + 2, max(0, x1 - 2) : x2 + 2] = True
        ring[max(0, y1 - 1) : y2 + 1, max(0, x1 - 1) : x2 + 1] = False
        assert not is_colour[ring].any()


def test_colours_turn_and_fade_for_each_frame_and_its_brightness_stays():
    torch.manual_seed(0)
    pixels = torch.rand(3, 3, 4, 5) * 255
    factor, turn = torch.tensor([0.0, 1.3, 1.0]), torch.tensor([0.2, 0.0, 0.25])
    changed = turn_colours(pixels, turn, factor)
    weights = torch.tensor([0.299, 0.587, 0.114]).reshape(3, 1, 1)
    torch.testing.assert_close((changed * weights).sum(1), (pixels * weights).sum(1), atol=1e-2, rtol=1e-4)
    assert (changed[0] - changed[0].mean(0)).abs().max() < 0.1  # grey
    mild = pixels[1:2] / 4 + 90  # torchvision cuts colours off at 0 and 255
    faded = turn_colours(mild, turn[1:2], factor[1:2])
    torch.testing.assert_close(faded, adjust_saturation(mild / 255, 1.3) * 255, atol=0.1, rtol=0)
    assert (changed[2] - pixels[2]).abs().max() > 20
    torch.testing.assert_close(turn_colours(changed[2:], -turn[2:], factor[2:]), pixels[2:], atol=1e-2, rtol=0)


def test_colours_are_changed_only_where_the_recipe_says_so():
    frames, targets = torch.randint(0, 256, (2, 3, 32, 32), dtype=torch.uint8), targets_of((1, 0, [0.1, 0.2, 0.6, 0.7]))
    plain, hue, saturation = (
        augment_boxes(frames, targets, (32, 32), BoxAugmentation(STILL, 0, 0, *change), torch.Generator())[0]
        for change in ((), (0.1, 0), (0, 0.5))
    )
    torch.testing.assert_close(plain, frames.float(), atol=1e-3, rtol=0)
    assert min((each - plain).abs().mean() for each in (hue, saturation)) > 1


def test_the_same_seed_gives_the_same_frames():
    frames, targets = torch.randint(0, 256, (4, 3, 32, 32), dtype=torch.uint8), targets_of((2, 0, [0.1, 0.2, 0.6, 0.7]))
    change = BoxAugmentation(Augmentation(0.3, 0.1, 0.2, 0.2, 0, 0), 0.5, 0.5, 0.1, 0.5)
    one, other = (augment_boxes(frames, targets, (32, 32), change, torch.Generator().manual_seed(5)) for _ in range(2))
    assert torch.equal(one[0], other[0])
    assert torch.equal(one[1].box, other[1].box)


def test_four_frames_are_joined_row_by_row():
    frames = torch.arange(4, dtype=torch.uint8)[:, None, None, None].expand(4, 3, 2, 2)
    tiles = torch.tensor([[3, 1, 0, 2]])
    assert join_frames(frames, tiles)[0, 0, ::2, ::2].tolist() == [[3, 1], [0, 2]]
    joined = join_boxes(targets_of((2, 7, [0.0, 0.5, 1.0, 1.0])), torch.tensor([3]), tiles)
    assert (joined.frame.tolist(), joined.label.tolist()) == ([3], [7])
    torch.testing.assert_close(joined.box, torch.tensor([[0.5, 0.75, 1.0, 1.0]]))


# From answers to scores.


def test_suppression_is_for_each_class_and_keeps_the_best():
    boxes = torch.tensor([[0.0, 0, 10, 10], [1, 0, 11, 10], [30, 30, 40, 40]])
    scores = torch.tensor([[0.8, 0.3], [0.9, 0.0], [0.0005, 0.4]])
    kept, score, label = select_boxes(boxes, scores)
    torch.testing.assert_close(score, torch.tensor([0.9, 0.4, 0.3]))
    assert label.tolist() == [0, 1, 1]
    assert torch.equal(kept, boxes[[1, 2, 0]])
    assert len(select_boxes(boxes, scores, most=2)[0]) == 2


def some_results(seed: int, frames: int = 12, classes: int = 4) -> dict[int, FrameResult]:
    """Boxes of all sizes; those found are moved, missed, doubled or of another class."""
    random = np.random.default_rng(seed)
    results = {}
    for number in range(frames):
        true = np.zeros(random.integers(0, 6), TRUE)
        corner, sides = random.uniform(0, 300, (len(true), 2)), np.exp(random.uniform(2, 5.3, (len(true), 2)))
        true["class"], true["box"] = random.integers(0, classes - 1, len(true)), np.hstack([corner, corner + sides])
        found = np.zeros(2 * len(true) + 1, FOUND)
        found["score"] = random.random(len(found))
        found["class"] = random.integers(0, classes, len(found))
        for place, box in enumerate(true):
            found["class"][place] = box["class"] if random.random() < 0.8 else 3
            found["box"][place] = box["box"] + random.normal(0, 4, 4)
        found["box"][len(true) :] = np.tile(random.uniform(0, 300, (len(true) + 1, 2)), 2) + np.array([0, 0, 30, 30])
        results[number] = FrameResult(true, found)
    return results


@pytest.mark.parametrize("seed", range(3))
def test_average_precision_is_that_of_pycocotools(seed):
    results = some_results(seed)
    ours = average_precision(results, 4)
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO()
        truth.dataset = coco_truth(results, 4)
        truth.createIndex()
        theirs = COCOeval(truth, truth.loadRes(coco_found(results)), "bbox")
        theirs.evaluate()
        theirs.accumulate()
        theirs.summarize()
    expected = [math.nan if value < 0 else value for value in theirs.stats[:6]]
    np.testing.assert_allclose(list(ours.figures.values()), expected, atol=1e-6)
    assert 0.05 < ours.figures["ap"] < 0.95
    assert np.isnan(ours.per_class[3]).all()  # no true box has this class


def test_average_precision_of_nothing():
    nothing, one = np.zeros(0, FOUND), np.array([(0, (0, 0, 50, 50))], TRUE)
    assert average_precision({0: FrameResult(one, nothing)}, 2).figures["ap"] == 0
    assert math.isnan(average_precision({0: FrameResult(one[:0], nothing)}, 2).figures["ap"])


def test_errors_are_counted_with_background():
    true = np.array([(0, (0, 0, 10, 10)), (1, (20, 0, 30, 10)), (1, (40, 0, 50, 10))], TRUE)
    found = np.array(
        [
            (0, 0.9, (0, 0, 10, 9)),  # right
            (0, 0.8, (20, 0, 30, 9)),  # another class
            (1, 0.9, (70, 0, 80, 10)),  # nothing there
            (1, 0.1, (40, 0, 50, 10)),  # right, but not shown: missed
        ],
        FOUND,
    )
    confusion = np.zeros((3, 3), np.int64)
    assert add_frame(confusion, FrameResult(true, found)) == 3
    assert confusion.tolist() == [[1, 0, 0], [1, 0, 1], [0, 1, 0]]


class Frames:
    """What BoxScores needs of a list."""

    paths = ("a.png", "b.png")


def test_scores_are_those_of_perfect_answers_in_any_order(tmp_path):
    preprocessing = Preprocessing(64, 64, "letterbox")
    targets = frame_boxes(((32, 64), [(0, (0.25, 0.25, 0.75, 0.75))]), ((64, 64), [(1, (0, 0, 0.5, 0.5))]))
    boxes = np.array([[[16, 24, 48, 40], [0, 0, 9, 9]], [[0, 0, 32, 32], [5, 5, 9, 9]]], np.float32)
    scores = np.array([[[0.9, 0], [0, 0]], [[0, 0.8], [0, 0]]], np.float32)
    whole, first, second = (BoxScores(("x", "y"), Frames, preprocessing) for _ in range(3))
    whole.add((boxes, scores), targets)
    for part, row in ((first, 1), (second, 0)):
        part.add((boxes[[row]], scores[[row]]), targets[np.array([row])])
    first.merge(second)
    assert whole.frames == first.frames == 2
    assert whole.figures() == first.figures()
    assert whole.figures()["ap"] == pytest.approx(1)
    state = whole.state_dict()
    assert state["confusion"].tolist() == [[1, 0, 0], [0, 1, 0], [0, 0, 0]]
    loaded = BoxScores(("x", "y"), Frames, preprocessing)
    loaded.load_state_dict(state)
    assert loaded.describe() == whole.describe()
    loaded.draw(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"precision_recall.png", "confusion.png"}

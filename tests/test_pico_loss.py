"""PicoDet's decoding, assignment and losses against a second account of them in plain loops over numbers."""

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from game_classifier.models.pico_head import PicoDecoder, PicoHead
from game_classifier.tasks.detection.focal_losses import distribution_loss, varifocal_loss
from game_classifier.tasks.detection.geometry import Targets
from game_classifier.tasks.detection.pico_loss import pico_loss
from game_classifier.tasks.detection.simota import assign

STRIDES = (8, 16, 32, 64)


def sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x))


def cross_entropy(probability: float, wanted: float) -> float:
    return -(wanted * math.log(probability) + (1 - wanted) * math.log(1 - probability))


def varifocal(logit: float, quality: float) -> float:
    p = sigmoid(logit)
    return quality * cross_entropy(p, quality) if quality > 0 else 0.75 * p**2 * cross_entropy(p, 0)


def iou_and_giou(a, b) -> tuple[float, float]:
    shared = max(0, min(a[2], b[2]) - max(a[0], b[0])) * max(0, min(a[3], b[3]) - max(a[1], b[1]))
    union = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - shared
    hull = (max(a[2], b[2]) - min(a[0], b[0])) * (max(a[3], b[3]) - min(a[1], b[1]))
    return shared / union, shared / union - (hull - union) / hull


def decoded(values, x: float, y: float, stride: int) -> list[float]:
    """The box in pixels of 32 logits in the cell with its middle at (x, y), in cells."""
    sides = []
    for side in range(4):
        weights = [math.exp(value) for value in values[8 * side : 8 * side + 8]]
        sides.append(sum(number * weight for number, weight in enumerate(weights)) / sum(weights))
    return [(x - sides[0]) * stride, (y - sides[1]) * stride, (x + sides[2]) * stride, (y + sides[3]) * stride]


def simota(logits, boxes, centres, strides, wanted, labels) -> dict[int, tuple[int, float]]:
    """{cell: (box, IoU)} by loops over cells and boxes."""
    inside, near, candidates = {}, {}, []
    for cell, ((x, y), stride) in enumerate(zip(centres, strides, strict=True)):
        for box, (x1, y1, x2, y2) in enumerate(wanted):
            inside[cell, box] = x1 < x < x2 and y1 < y < y2
            near[cell, box] = max(abs(x - (x1 + x2) / 2), abs(y - (y1 + y2) / 2)) < 2.5 * stride
        if any(inside[cell, box] or near[cell, box] for box in range(len(wanted))):
            candidates.append(cell)
    cost, iou = {}, {}
    for cell in candidates:
        for box, label in enumerate(labels):
            iou[cell, box], giou = iou_and_giou(boxes[cell], wanted[box])
            targets = [iou[cell, box] if number == label else 0.0 for number in range(len(logits[cell]))]
            cost[cell, box] = sum(map(varifocal, logits[cell], targets)) + 6 * (1 - giou)
            if not (inside[cell, box] and near[cell, box]):
                cost[cell, box] += 1e8
    chosen: dict[int, list[int]] = {}
    for box in range(len(wanted)):
        best = sorted((iou[cell, box] for cell in candidates), reverse=True)[:10]
        for cell in sorted(candidates, key=lambda cell: cost[cell, box])[: max(1, int(sum(best)))]:
            chosen.setdefault(cell, []).append(box)
    found = {}
    for cell, several in chosen.items():
        box = several[0] if len(several) == 1 else min(range(len(wanted)), key=lambda box: cost[cell, box])
        found[cell] = box, iou[cell, box]
    return found


def loss_in_loops(outputs: list[np.ndarray], targets, num_classes: int) -> float:
    """The whole loss; `targets` are (frame, label, box in pixels)."""
    classes = box_sum = weight_sum = 0.0
    learning = 0
    for frame in range(len(outputs[0])):
        cells = [
            (output[frame, row, column].tolist(), (column + 0.5, row + 0.5), stride)
            for output, stride in zip(outputs, STRIDES, strict=True)
            for row in range(output.shape[1])
            for column in range(output.shape[2])
        ]
        logits = [values[:num_classes] for values, _, _ in cells]
        boxes = [decoded(values[num_classes:], *middle, stride) for values, middle, stride in cells]
        wanted = [box for number, _, box in targets if number == frame]
        labels = [label for number, label, _ in targets if number == frame]
        centres = [(x * stride, y * stride) for _, (x, y), stride in cells]
        found = simota(logits, boxes, centres, [stride for _, _, stride in cells], wanted, labels)
        learning += max(1, len(found))
        for cell, (values, (x, y), stride) in enumerate(cells):
            box, iou = found.get(cell, (None, 0.0))
            for number in range(num_classes):
                classes += varifocal(values[number], iou if box is not None and number == labels[box] else 0.0)
            if box is None:
                continue
            weight = max(map(sigmoid, logits[cell]))
            x1, y1, x2, y2 = (side / stride for side in wanted[box])
            spread = 0.0
            for side, distance in enumerate((x - x1, y - y1, x2 - x, y2 - y)):
                distance = min(max(distance, 0), 6.9)
                part = values[num_classes + 8 * side : num_classes + 8 * side + 8]
                log_sum = math.log(sum(map(math.exp, part)))
                left = int(distance)
                spread -= (left + 1 - distance) * (part[left] - log_sum)
                spread -= (distance - left) * (part[left + 1] - log_sum)
            box_sum += weight * (2 * (1 - iou_and_giou(boxes[cell], wanted[box])[1]) + 0.25 * spread / 4)
            weight_sum += weight
    return classes / learning + box_sum / max(1, weight_sum)


def random_outputs(random: np.random.Generator, frames: int, height: int, width: int, classes: int) -> list[np.ndarray]:
    sides = [(-(-height // stride), -(-width // stride)) for stride in STRIDES]
    return [random.normal(0, 1.5, (frames, *side, classes + 32)).astype(np.float32) for side in sides]


def random_boxes(random: np.random.Generator, count: int, height: int, width: int) -> np.ndarray:
    corner = random.uniform(0, 0.6, (count, 2)) * (width, height)
    side = random.uniform(0.02, 0.4, (count, 2)) * (width, height)
    return np.concatenate([corner, corner + side], 1).astype(np.float32)


# Decoding.


def test_decoding_by_hand():
    """A box in row 1, column 2 of the level of stride 16 whose sides are 1, 2, 3 and 4.5 cells away."""
    outputs = [torch.zeros(1, 64 // s, 96 // s, 2 + 32) for s in (8, 16, 32)] + [torch.zeros(1, 1, 2, 34)]
    logits = torch.full((4, 8), -1e4)
    for side, bins in enumerate(([1], [2], [3], [4, 5])):
        logits[side, bins] = 0.0
    outputs[1][0, 1, 2] = torch.cat([torch.tensor([0.5, -2.0]), logits.flatten()])
    boxes, scores = PicoDecoder(2, STRIDES)(outputs)
    row = 8 * 12 + 1 * 6 + 2
    expected = [(2.5 - 1) * 16, (1.5 - 2) * 16, (2.5 + 3) * 16, (1.5 + 4.5) * 16]
    torch.testing.assert_close(boxes[0, row], torch.tensor(expected))
    torch.testing.assert_close(scores[0, row], torch.tensor([sigmoid(0.5), sigmoid(-2.0)]))
    # A head that says nothing has all sides in the middle of 0 to 7 cells.
    torch.testing.assert_close(boxes[0, 0], torch.tensor([4 - 28.0, 4 - 28.0, 4 + 28.0, 4 + 28.0]))


def test_all_boxes_are_decoded_as_in_loops():
    outputs = random_outputs(np.random.default_rng(0), 2, 64, 96, 3)
    boxes, scores = PicoDecoder(3, STRIDES)([torch.from_numpy(each) for each in outputs])
    assert boxes.dtype == scores.dtype == torch.float32
    expected = [
        [
            decoded(output[frame, row, column, 3:].tolist(), column + 0.5, row + 0.5, stride)
            for output, stride in zip(outputs, STRIDES, strict=True)
            for row in range(output.shape[1])
            for column in range(output.shape[2])
        ]
        for frame in range(2)
    ]
    torch.testing.assert_close(boxes, torch.tensor(expected), atol=1e-3, rtol=1e-5)


def test_a_fresh_head_scores_a_hundredth():
    head = PicoHead(8, 5, 1).eval()
    outputs = head([torch.zeros(1, 8, side, side) for side in (8, 4, 2, 1)])
    _, scores = head.decoder()(outputs)
    torch.testing.assert_close(scores, torch.full_like(scores, 0.01), atol=1e-3, rtol=0)


# Assignment.


def assigned(logits, boxes, centres, strides, wanted, labels) -> dict[int, tuple[int, float]]:
    found = assign(*map(torch.from_numpy, (logits, boxes, centres)), torch.from_numpy(strides)[:, None], wanted, labels)
    rows = zip(found.place.tolist(), found.target.tolist(), found.overlap.tolist(), strict=True)
    return {cell: (box, iou) for cell, box, iou in rows}


@pytest.mark.parametrize("seed", range(6))
def test_cells_are_assigned_as_in_loops(seed):
    """Boxes overlap each other, and answers lie around them, so that cells are wanted by several."""
    random = np.random.default_rng(seed)
    wanted = random_boxes(random, 1 + 2 * seed, 128, 160)
    labels = random.integers(0, 4, len(wanted))
    centres, strides = [], []
    for stride in STRIDES:
        y, x = np.mgrid[0 : -(-128 // stride), 0 : -(-160 // stride)] + 0.5
        centres.append(np.stack([x.ravel(), y.ravel()], 1) * stride)
        strides.append(np.full(x.size, stride, np.float32))
    centres, strides = np.concatenate(centres).astype(np.float32), np.concatenate(strides)
    logits = random.normal(-1, 2, (len(centres), 4)).astype(np.float32)
    boxes = wanted[random.integers(0, len(wanted), len(centres))] + random.normal(0, 6, (len(centres), 4))
    boxes = np.concatenate([np.minimum(boxes[:, :2], boxes[:, 2:] - 1), boxes[:, 2:]], 1).astype(np.float32)
    expected = simota(logits.tolist(), boxes.tolist(), centres.tolist(), strides.tolist(), wanted.tolist(), labels)
    found = assigned(logits, boxes, centres, strides, torch.from_numpy(wanted), torch.from_numpy(labels))
    assert len(found) >= len(wanted)
    assert {cell: box for cell, (box, _) in found.items()} == {cell: box for cell, (box, _) in expected.items()}
    np.testing.assert_allclose([found[cell][1] for cell in expected], [iou for _, iou in expected.values()], atol=1e-5)


def test_a_box_smaller_than_a_cell_is_learnt_by_the_cheapest_cell_around_it():
    """No middle of a cell is inside, so all costs have the same 1e8 in them, and the answers decide."""
    centres = np.array([[x, 4.0] for x in (4, 12, 20, 28)], np.float32)
    boxes = np.array([[8, 2, 14, 6], [6, 1, 12, 7], [7.2, 2.2, 8.9, 6.1], [0, 0, 4, 4]], np.float32)
    logits, strides = np.zeros((4, 1), np.float32), np.full(4, 8, np.float32)
    wanted = torch.tensor([[7.0, 2.0, 9.0, 6.0]])
    assert set(assigned(logits, boxes, centres, strides, wanted, torch.tensor([0]))) == {2}


def test_a_frame_without_boxes_has_no_cells_that_learn():
    nothing = torch.zeros(0, 4), torch.zeros(0, dtype=torch.long)
    arrays = (np.zeros((2, 3), np.float32), np.ones((2, 4), np.float32), np.ones((2, 2), np.float32))
    assert assigned(*arrays, np.ones(2, np.float32), *nothing) == {}


# Losses.


def test_varifocal_loss_is_that_of_its_equation():
    random = np.random.default_rng(0)
    logits, quality = random.normal(0, 3, (7, 3)).astype(np.float32), random.uniform(0, 1, (7, 3)).astype(np.float32)
    quality[random.uniform(size=quality.shape) < 0.5] = 0
    expected = [[varifocal(*pair) for pair in zip(*rows, strict=True)] for rows in zip(logits, quality, strict=True)]
    found = varifocal_loss(torch.from_numpy(logits), torch.from_numpy(quality))
    torch.testing.assert_close(found, torch.tensor(expected), atol=1e-5, rtol=1e-4)


def test_distribution_loss_is_least_for_the_true_distance():
    logits = torch.full((8,), -30.0)
    logits[[2, 3]] = torch.tensor([math.log(0.75), math.log(0.25)])  # of a distance of 2.25
    distances = torch.tensor([0.0, 2.0, 2.25, 2.5, 3.0, 6.9])
    found = distribution_loss(logits.expand(6, 8), distances)
    entropy = -0.75 * math.log(0.75) - 0.25 * math.log(0.25)
    expected = [30, -math.log(0.75), entropy, -0.5 * math.log(0.75) - 0.5 * math.log(0.25), -math.log(0.25), 30]
    torch.testing.assert_close(found, torch.tensor(expected), atol=1e-4, rtol=1e-4)


def to_targets(targets, height: int, width: int) -> Targets:
    frame, label, box = zip(*targets, strict=True)
    shares = torch.tensor(box) / torch.tensor([width, height, width, height])
    return Targets(torch.tensor(frame), torch.tensor(label), shares)


@pytest.mark.parametrize("seed", range(3))
def test_the_loss_is_that_of_loops(seed):
    """Two frames with boxes and one of background, in an order of the boxes that mixes frames."""
    random = np.random.default_rng(seed)
    outputs = random_outputs(random, 3, 96, 128, 4)
    boxes = random_boxes(random, 7, 96, 128)
    targets = [(int(random.choice([0, 2])), int(random.integers(4)), box.tolist()) for box in boxes]
    loss = pico_loss([torch.from_numpy(each) for each in outputs], to_targets(targets, 96, 128), STRIDES, 4)
    assert loss.item() == pytest.approx(loss_in_loops(outputs, targets, 4), rel=1e-4)


def test_a_side_beyond_the_last_distance_is_learnt_as_far_as_it_goes():
    """Only cells of stride 8 give large boxes here; some sides are more than 7 of them away."""
    outputs = random_outputs(np.random.default_rng(0), 1, 160, 160, 1)
    for output, last in zip(outputs, (7, 0, 0, 0), strict=True):
        output[..., 1 + last :: 8] += 8
    targets = [(0, 0, [10.0, 10.0, 150.0, 150.0])]
    loss = pico_loss([torch.from_numpy(each) for each in outputs], to_targets(targets, 160, 160), STRIDES, 1)
    assert loss.item() == pytest.approx(loss_in_loops(outputs, targets, 1), rel=1e-4)


def gradients(outputs: list[Tensor], targets: Targets) -> list[Tensor]:
    outputs = [each.clone().requires_grad_() for each in outputs]
    pico_loss(outputs, targets, STRIDES, 2).backward()
    return [each.grad for each in outputs]


def test_scores_learn_from_the_varifocal_loss_alone():
    """The IoU that is their target and the weights of the boxes are numbers, which pass no gradient on."""
    outputs = [torch.from_numpy(each) for each in random_outputs(np.random.default_rng(0), 1, 64, 64, 2)]
    wanted = [20.0, 20.0, 44.0, 44.0]
    slope = torch.cat([each.flatten(0, 2) for each in gradients(outputs, to_targets([(0, 1, wanted)], 64, 64))])
    learning = (slope[:, 2:] != 0).any(1)
    boxes, scores = (each[0] for each in PicoDecoder(2, STRIDES)(outputs))
    # The derivatives of -0.75 p^2 log(1 - p) and of q times the cross-entropy of p and q.
    expected = 0.75 * (scores**3 - 2 * scores**2 * (1 - scores) * (1 - scores).log())
    quality = torch.tensor([iou_and_giou(box, wanted)[0] for box in boxes.tolist()])
    expected[learning, 1] = (quality * (scores[:, 1] - quality))[learning]
    assert learning.any()
    torch.testing.assert_close(slope[:, :2], expected / learning.sum(), atol=1e-5, rtol=1e-4)


def test_the_loss_of_background_lowers_every_score_and_leaves_the_boxes():
    outputs = [torch.zeros(2, side, side, 34) for side in (8, 4, 2, 1)]
    nothing = Targets(torch.zeros(0, dtype=torch.long), torch.zeros(0, dtype=torch.long), torch.zeros(0, 4))
    for slope in gradients(outputs, nothing):
        assert (slope[..., :2] > 0).all()
        assert (slope[..., 2:] == 0).all()


def test_only_cells_near_a_box_learn_it():
    outputs = [torch.zeros(1, side, side, 34) for side in (8, 4, 2, 1)]
    slopes = gradients(outputs, to_targets([(0, 1, [20.0, 20.0, 44.0, 44.0])], 64, 64))
    learning = torch.cat([(slope[0, ..., 2:] != 0).any(-1).flatten() for slope in slopes])
    assert 1 <= learning.sum() <= 10
    rising = torch.cat([(slope[0, ..., 1] < 0).flatten() for slope in slopes])
    assert not (rising & ~learning).any()
    assert all((slope[..., 0] > 0).all() for slope in slopes)  # the other class


def test_boxes_of_other_frames_change_nothing():
    random = np.random.default_rng(0)
    outputs = [torch.from_numpy(each) for each in random_outputs(random, 2, 64, 64, 2)]
    first, second = [(0, 1, [4.0, 4.0, 30.0, 40.0])], [(1, 0, [20.0, 20.0, 60.0, 50.0])]
    both = gradients(outputs, to_targets(second + first, 64, 64))
    for frame, boxes in enumerate((first, second)):
        alone = to_targets([(0, label, box) for _, label, box in boxes], 64, 64)
        slopes = gradients([each[frame : frame + 1] for each in outputs], alone)
        for one, other in zip(both, slopes, strict=True):
            assert torch.equal(one[frame, ..., 2:] != 0, other[0, ..., 2:] != 0)

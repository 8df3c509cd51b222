import numpy as np
import pytest
import torch
from timm.utils import ModelEmaV3
from torch import nn
from torch.nn import functional as F

from game_classifier.frames.augment import Augmentation
from game_classifier.frames.decode import Preprocessing
from game_classifier.frames.loader import Batch
from game_classifier.tasks.classification.objective import ClassObjective
from game_classifier.tasks.classification.sampling import class_weights, epoch_rows
from game_classifier.training.epoch import StepRecipe, make_steps
from game_classifier.training.schedule import seed_of
from game_classifier.training.trainee import Position, Trainee

LABELS = np.array([0] * 90 + [2] * 10, np.int32)


def test_an_epoch_takes_every_row_once_and_short_lists_again():
    rows = epoch_rows(LABELS, 100, "none", 1)
    assert sorted(rows) == list(range(100))
    assert not np.array_equal(rows, epoch_rows(LABELS, 100, "none", 2))
    assert np.array_equal(rows, epoch_rows(LABELS, 100, "none", 1))
    twice = epoch_rows(LABELS, 150, "none", 1)
    assert sorted(twice[:100]) == list(range(100))
    assert len(set(twice[100:])) == 50
    assert not np.array_equal(twice[:50], twice[100:])


def test_balanced_sampling_draws_each_class_equally_often():
    drawn = LABELS[epoch_rows(LABELS, 4000, "sampling", 1)]
    assert 0.46 < (drawn == 2).mean() < 0.54


def test_weights_of_the_loss_make_each_class_count_alike():
    weights = class_weights(LABELS, 3)
    assert weights.tolist() == pytest.approx([100 / 180, 0, 5])
    assert weights[LABELS].mean() == pytest.approx(1)


def test_seeds_differ_with_each_of_their_numbers():
    assert len({seed_of(*numbers) for numbers in [(0,), (1,), (0, 0), (0, 1), (1, 0), (-1, 0)]}) == 6
    assert seed_of(3, 4) == seed_of(3, 4)


def trainee_of(network: nn.Module) -> Trainee:
    optimizer = torch.optim.SGD(network.parameters(), 1.0)
    scaler = torch.amp.GradScaler("cpu", enabled=False)
    return Trainee(network, network, ModelEmaV3(network, 0.5), optimizer, scaler, torch.device("cpu"), "fp32")


def train_on(
    batches: list[Batch],
    labels: np.ndarray,
    class_weights: torch.Tensor | None = None,
    label_smoothing: float = 0.0,
    **changes,
) -> tuple[nn.Module, Position]:
    """One step without augmentation of a network whose gradients are those of its frames' mean."""
    torch.manual_seed(0)
    network = nn.Sequential(nn.Flatten(), nn.Linear(3 * 32 * 32, 3))
    position = Position()
    recipe = {
        "steps": 1,
        "rate": lambda step: 0.01,
        "size": lambda step: (32, 32),
        "preprocessing": Preprocessing(32, 32),
        "clip_grad": 0.0,
        "accumulate": 1,
        "seed": 0,
        "rank": 0,
    }
    unchanged = Augmentation(0, 0, 0, 0, 0, 0)
    objective = ClassObjective(labels, "none", unchanged, label_smoothing=label_smoothing, class_weights=class_weights)
    assert list(make_steps(trainee_of(network), objective, batches, position, StepRecipe(**recipe | changes))) == [0.01]
    return network, position


@pytest.fixture
def whole() -> tuple[Batch, np.ndarray]:
    frames = np.random.default_rng(0).integers(0, 256, (8, 32, 32, 3), dtype=np.uint8)
    return Batch(np.arange(8), frames, np.zeros(8, np.uint8)), np.arange(8, dtype=np.int32) % 3


def test_accumulated_batches_are_one_step_of_all_their_frames(whole):
    batch, labels = whole
    halves = [
        Batch(*(field[part] for field in (batch.rows, batch.frames, batch.status))) for part in (slice(4), slice(4, 8))
    ]
    one, first = train_on([batch], labels)
    two, second = train_on(halves, labels, accumulate=2)
    assert first.step == second.step == 1
    assert first.frames == second.frames == 8
    assert first.loss_sum == pytest.approx(second.loss_sum, rel=1e-5)
    torch.testing.assert_close(one[1].weight, two[1].weight, atol=1e-5, rtol=1e-5)


def test_gradients_are_clipped_to_their_norm(whole):
    batch, labels = whole
    torch.manual_seed(0)
    before = nn.Linear(3 * 32 * 32, 3)
    free, _ = train_on([batch], labels)
    clipped, _ = train_on([batch], labels, clip_grad=0.5)
    moves = [
        torch.cat([(net[1].weight - before.weight).flatten(), net[1].bias - before.bias]).norm().item()
        for net in (free, clipped)
    ]
    assert moves[1] == pytest.approx(0.01 * 0.5, rel=1e-3)
    assert moves[0] > 2 * moves[1]


def test_class_weights_and_smoothing_reach_the_loss(whole):
    batch, labels = whole
    weights = torch.tensor([1.0, 2.0, 3.0])
    _, position = train_on([batch], labels, class_weights=weights, label_smoothing=0.1)
    torch.manual_seed(0)
    network = nn.Linear(3 * 32 * 32, 3)
    mean, std = (torch.tensor(v).reshape(1, 3, 1, 1) * 255 for v in (Preprocessing(1, 1).mean, Preprocessing(1, 1).std))
    pixels = (torch.from_numpy(batch.frames).permute(0, 3, 1, 2).float() - mean) / std
    loss = F.cross_entropy(network(pixels.flatten(1)), torch.from_numpy(labels).long(), weights, label_smoothing=0.1)
    assert position.loss_sum / 8 == pytest.approx(loss.item(), rel=1e-4)


def test_frames_that_could_not_be_read_are_counted_apart(whole):
    batch, labels = whole
    batch.status[[2, 5]] = 3
    _, position = train_on([batch], labels)
    assert position.frames == 6
    assert position.unread == {2: 3, 5: 3}

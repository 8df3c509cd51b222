"""The steps of one epoch of training."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
import torch
from timm.data import Mixup
from torch import Tensor
from torch.nn import functional as F

from game_classifier.console import progress
from game_classifier.device import DTYPES
from game_classifier.errors import InputError
from game_classifier.frames.augment import Augmentation, augment
from game_classifier.frames.decode import Preprocessing
from game_classifier.frames.loader import Batch
from game_classifier.training.sampling import seed_of
from game_classifier.training.trainee import Position, Trainee, uses_channels_last


@dataclass(frozen=True)
class StepRecipe:
    """What every step of an epoch has in common."""

    rate: Callable[[int], float]  # of a step counted over all epochs
    size: tuple[int, int]  # (height, width) of the frames
    preprocessing: Preprocessing
    change: Augmentation
    mix: Mixup | None  # timm's mixup and cutmix
    label_smoothing: float
    class_weights: Tensor | None  # float32 [C]
    clip_grad: float  # largest norm of all gradients; 0 for any
    accumulate: int  # batches a step
    seed: int  # with the step's number, it fixes all that is random in a step
    rank: int


def train_one_epoch(
    trainee: Trainee,
    batches: Iterable[Batch],
    labels: np.ndarray,
    position: Position,
    steps: int,
    recipe: StepRecipe,
    title: str,
    after_step: Callable[[], None],
) -> None:
    """Make the steps of an epoch that `position` has not made yet, and count them there.

    `batches` are `recipe.accumulate` a step; `labels` int [N] those of the whole list. Frames that could not be
    read are left out of their batch, never replaced. Each step's randomness comes from the seed and its own
    number alone, so that a training can be left and taken up again between any two. Raises InputError at a
    loss that is not finite, before it reaches the weights.
    """
    trainee.network.train()
    mean, std = (
        torch.tensor(values, device=trainee.device).reshape(1, 3, 1, 1) * 255
        for values in (recipe.preprocessing.mean, recipe.preprocessing.std)
    )
    waiting: list[Batch] = []
    with progress(total=steps, initial=position.step, unit="step", desc=title, leave=False) as bar:
        for batch in batches:
            for place in np.flatnonzero(batch.status):
                position.unread[int(batch.rows[place])] = int(batch.status[place])
            waiting.append(batch)
            if len(waiting) < recipe.accumulate:
                continue
            generator = _seed_step(recipe, trainee.step)
            lr = recipe.rate(trainee.step)
            for number, each in enumerate(waiting):
                pixels, targets = _prepare(trainee, each, labels, recipe, generator)
                pixels = (pixels - mean) / std
                loss = _add_gradients(trainee, pixels, targets, recipe, is_last=number == len(waiting) - 1)
                require_finite(loss, trainee.step, lr, each.rows)
                position.loss_sum += loss * len(targets)
                position.frames += len(targets)
            _update(trainee, lr, recipe.clip_grad)
            waiting.clear()
            position.step += 1
            bar.update()
            bar.set_postfix(loss=f"{position.loss_sum / max(1, position.frames):.3f}", lr=f"{lr:.2g}", refresh=False)
            after_step()


def _seed_step(recipe: StepRecipe, step: int) -> torch.Generator:
    """Fix everything random in a step: the augmentation's generator, and the global ones of dropout and Mixup."""
    seed = seed_of(recipe.seed, step, recipe.rank)
    torch.manual_seed(seed)
    np.random.seed(seed % 2**32)
    return torch.Generator().manual_seed(seed)


def _prepare(
    trainee: Trainee, batch: Batch, labels: np.ndarray, recipe: StepRecipe, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Changed frames float32 [n, 3, H, W] in 0..255 and their targets, int [n] or, mixed, float [n, C]."""
    good = batch.readable()
    frames = torch.from_numpy(good.frames).to(trainee.device).permute(0, 3, 1, 2)
    targets = torch.from_numpy(labels[good.rows]).long().to(trainee.device)
    if len(frames) < 2:  # BatchNorm has nothing to compare a single frame with
        return torch.zeros(0, 3, *recipe.size, device=trainee.device), targets[:0]
    pixels = augment(frames, recipe.size, recipe.change, generator)
    if recipe.mix and len(pixels) % 2 == 0:  # Mixup pairs the frames of a batch
        return recipe.mix(pixels, targets)
    return pixels, targets


def _add_gradients(trainee: Trainee, pixels: Tensor, targets: Tensor, recipe: StepRecipe, is_last: bool) -> float:
    """Add a batch's gradients to the step's; returns the batch's mean loss.

    A batch without two readable frames adds nothing, but goes through the network too: with several processes
    each must take part in the exchange of gradients.
    """
    empty = not len(pixels)
    if empty:
        trainee.network.eval()  # black frames must not reach BatchNorm's statistics
        pixels = pixels.new_zeros(1, *pixels.shape[1:])
    if uses_channels_last(trainee.device, trainee.precision):
        pixels = pixels.contiguous(memory_format=torch.channels_last)
    dtype = DTYPES[trainee.precision]
    trainee.exchange_gradients(is_last)
    with torch.autocast(trainee.device.type, dtype, enabled=dtype != torch.float32):
        logits = trainee.parallel(pixels).float()
    if empty:
        trainee.network.train()
        loss = logits.sum() * 0
    else:
        loss = F.cross_entropy(logits, targets, recipe.class_weights, label_smoothing=recipe.label_smoothing)
    value = loss.item()
    if np.isfinite(value):
        trainee.scaler.scale(loss / recipe.accumulate).backward()
    return value


def _update(trainee: Trainee, lr: float, clip_grad: float) -> None:
    """Change the weights by the gradients of a step."""
    for group in trainee.optimizer.param_groups:
        group["lr"] = lr
    if clip_grad:
        trainee.scaler.unscale_(trainee.optimizer)
        torch.nn.utils.clip_grad_norm_(trainee.network.parameters(), clip_grad)
    trainee.scaler.step(trainee.optimizer)
    trainee.scaler.update()
    trainee.optimizer.zero_grad(set_to_none=True)
    trainee.step += 1
    trainee.ema.update(trainee.network, step=trainee.step)


def require_finite(loss: float, step: int, lr: float, rows: np.ndarray) -> None:
    """Raise InputError, with all that helps to find the reason, unless a step's `loss` on these rows is finite."""
    if not np.isfinite(loss):
        lines = ", ".join(str(row + 1) for row in rows[:5])
        more = f" and {len(rows) - 5} more" if len(rows) > 5 else ""
        raise InputError(
            f"the loss is {loss} at step {step} with learning rate {lr:.3g}, in the batch of the training list's"
            f" lines {lines}{more}; lower lr (--set lr=...), the last checkpoint is whole"
        )

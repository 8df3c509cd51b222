"""One epoch of training: its frames, its size and its steps."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from game_classifier.console import progress
from game_classifier.device import DTYPES, choose_threads
from game_classifier.errors import InputError
from game_classifier.frames.cache import FrameCache
from game_classifier.frames.decode import Preprocessing
from game_classifier.frames.loader import Batch, load_batches
from game_classifier.lists.dataset import Dataset
from game_classifier.tasks.task import Objective
from game_classifier.training.schedule import frame_size, learning_rate, seed_of
from game_classifier.training.session import Session
from game_classifier.training.trainee import Position, Trainee, uses_channels_last


@dataclass(frozen=True)
class StepRecipe:
    """The settings that all steps of an epoch share."""

    steps: int  # of all epochs
    rate: Callable[[int], float]  # of a step counted over all epochs
    size: Callable[[int], tuple[int, int]]  # (height, width) of the frames, of the same
    preprocessing: Preprocessing
    clip_grad: float  # largest norm of all gradients; 0 for any
    accumulate: int  # batches a step
    seed: int  # with the step's number, it fixes everything random in a step
    rank: int


def train_epoch(session: Session, dataset: Dataset, cache: FrameCache, after_step: Callable[[], None]) -> None:
    """Make the remaining steps of the current epoch, each on this process's share of its frames.

    The objective orders the frames. An incomplete last batch is left out, and a list that is too short for `min_steps`
    is repeated.
    """
    config, position, world = session.config, session.position, session.world
    share = world.share(config.batch_size)
    epochs, steps = session.length.epochs, session.length.steps
    rows = session.objective.order(steps * config.batch_size * config.accumulate, seed_of(config.seed, position.epoch))
    # [steps, batches, processes, frames]: what this process still has to do, in its order
    ours = rows.reshape(steps, config.accumulate, world.size, share)[position.step :, :, world.rank].ravel()
    preprocessing = config.preprocessing()
    recipe = StepRecipe(
        steps=steps * epochs,
        rate=partial(
            learning_rate,
            steps=steps * epochs,
            peak=config.lr,
            warmup=config.warmup,
            schedule=config.schedule,
        ),
        size=partial(
            frame_size,
            steps=steps * epochs,
            shares=config.train_sizes,
            height=preprocessing.height,
            width=preprocessing.width,
        ),
        preprocessing=preprocessing,
        clip_grad=config.clip_grad,
        accumulate=config.accumulate,
        seed=config.seed,
        rank=world.rank,
    )
    threads = choose_threads(config.threads, world.local_size)
    batches = load_batches(dataset.train.paths, ours, preprocessing, share, threads, cache)
    title = f"epoch {position.epoch + 1}/{epochs}"
    with progress(total=steps, initial=position.step, unit="step", desc=title, leave=False) as bar:
        for lr in make_steps(session.trainee, session.objective, batches, position, recipe):
            bar.update()
            bar.set_postfix(loss=f"{position.loss_sum / max(1, position.frames):.3f}", lr=f"{lr:.2g}", refresh=False)
            after_step()


def make_steps(
    trainee: Trainee, objective: Objective, batches: Iterable[Batch], position: Position, recipe: StepRecipe
) -> Iterator[float]:
    """Make a step of each `recipe.accumulate` batches, count it in `position`, and yield its learning rate.

    Frames that could not be read are left out of their batch, never replaced. Each step's randomness comes from the
    seed and its own number alone, so that a training can stop and continue between any two steps. Raises InputError
    for a loss that is not finite, before it reaches the weights.
    """
    trainee.network.train()
    mean, std = (
        torch.tensor(values, device=trainee.device).reshape(1, 3, 1, 1) * 255
        for values in (recipe.preprocessing.mean, recipe.preprocessing.std)
    )
    waiting: list[Batch] = []
    for batch in batches:
        for place in np.flatnonzero(batch.status):
            position.unread[int(batch.rows[place])] = int(batch.status[place])
        waiting.append(batch)
        if len(waiting) < recipe.accumulate:
            continue
        generator = _seed_step(recipe, trainee.step)
        lr = recipe.rate(trainee.step)
        for number, each in enumerate(waiting):
            size, progress = recipe.size(trainee.step), trainee.step / recipe.steps
            pixels, targets = _prepare(objective, each, size, progress, trainee.device, generator)
            is_last = number == len(waiting) - 1
            loss = _add_gradients(
                trainee, objective, (pixels - mean) / std, targets, recipe.accumulate, exchange=is_last
            )
            require_finite(loss, trainee.step, lr, each.rows)
            position.loss_sum += loss * len(pixels)
            position.frames += len(pixels)
        _update(trainee, lr, recipe.clip_grad)
        waiting.clear()
        position.step += 1
        yield lr


def _seed_step(recipe: StepRecipe, step: int) -> torch.Generator:
    """Fix everything random in a step: the augmentation's generator, and the global ones of dropout and Mixup."""
    seed = seed_of(recipe.seed, step, recipe.rank)
    torch.manual_seed(seed)
    np.random.seed(seed % 2**32)
    return torch.Generator().manual_seed(seed)


def _prepare(
    objective: Objective,
    batch: Batch,
    size: tuple[int, int],
    progress: float,
    device: torch.device,
    generator: torch.Generator,
) -> tuple[Tensor, Any]:
    """Changed frames float32 [n, 3, H, W] in 0..255 and their targets; n is 0 for less than two readable frames."""
    good = batch.readable()
    if len(good.rows) < 2:  # BatchNorm has nothing to compare a single frame with
        return torch.zeros(0, 3, *size, device=device), None
    frames = torch.from_numpy(good.frames).to(device).permute(0, 3, 1, 2)
    return objective.batch(frames, good.rows, size, progress, generator)


def _add_gradients(
    trainee: Trainee, objective: Objective, pixels: Tensor, targets: Any, accumulate: int, *, exchange: bool
) -> float:
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
    trainee.exchange_gradients(exchange)
    with torch.autocast(trainee.device.type, dtype, enabled=dtype != torch.float32):
        outputs = trainee.parallel(pixels)
    if empty:
        trainee.network.train()
        every = [outputs] if isinstance(outputs, Tensor) else outputs
        loss = sum(output.float().sum() for output in every) * 0
    else:
        loss = objective.loss(outputs, targets)
    value = loss.item()
    if np.isfinite(value):
        trainee.scaler.scale(loss / accumulate).backward()
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
    """Raise InputError, with everything that helps to find the reason, if a step's `loss` is not finite."""
    if not np.isfinite(loss):
        lines = ", ".join(str(row + 1) for row in rows[:5])
        more = f" and {len(rows) - 5} more" if len(rows) > 5 else ""
        raise InputError(
            f"the loss is {loss} at step {step} with learning rate {lr:.3g}, in a batch with the lines {lines}{more} of"
            " the training list; lower lr with --set lr=...; the last checkpoint is still usable"
        )

"""One epoch: its frames, its size and its steps; and the validation after it."""

import math
from collections.abc import Callable
from functools import partial

import numpy as np
import torch
from timm.data import Mixup

from game_classifier.config import Config
from game_classifier.device import choose_threads
from game_classifier.errors import InputError
from game_classifier.frames.cache import FrameCache
from game_classifier.frames.loader import load_batches
from game_classifier.lists.dataset import Dataset
from game_classifier.models.fold import fold
from game_classifier.models.frame_network import FrameNetwork, answering
from game_classifier.scoring.evaluate import Evaluation, evaluate
from game_classifier.training.loop import StepRecipe, train_one_epoch
from game_classifier.training.sampling import class_weights, epoch_rows, seed_of
from game_classifier.training.schedule import frame_size, learning_rate
from game_classifier.training.trainee import Position, Trainee
from game_classifier.training.world import World


def train_epoch(
    trainee: Trainee,
    config: Config,
    dataset: Dataset,
    cache: FrameCache,
    position: Position,
    world: World,
    after_step: Callable[[], None],
) -> None:
    """Make the steps of the epoch at hand that are still to make, each on this process's share of its frames.

    Every training frame comes once, in an order of this epoch's own; an incomplete last batch is left out, and a
    list that is too short for `min_steps` is gone through again.
    """
    share = world.share(config.batch_size)
    frames_a_step = config.batch_size * config.accumulate
    steps = max(config.min_steps, len(dataset.train) // frames_a_step)
    rows = epoch_rows(dataset.train.labels, steps * frames_a_step, config.balance, seed_of(config.seed, position.epoch))
    # [steps, batches, processes, frames]: what this process still has to do, in its order
    ours = rows.reshape(steps, config.accumulate, world.size, share)[position.step :, :, world.rank].ravel()
    preprocessing = config.preprocessing()
    threads = choose_threads(config.threads, world.local_size)
    train_one_epoch(
        trainee,
        load_batches(dataset.train.paths, ours, preprocessing, share, threads, cache),
        dataset.train.labels,
        position,
        steps,
        _step_recipe(config, dataset, position.epoch, steps, trainee.device, world.rank),
        title=f"epoch {position.epoch + 1}/{config.epochs}",
        after_step=after_step,
    )


def _step_recipe(
    config: Config, dataset: Dataset, epoch: int, steps: int, device: torch.device, rank: int
) -> StepRecipe:
    preprocessing = config.preprocessing()
    num_classes = len(dataset.class_names)
    mix = weights = None
    if config.augment.mixup or config.augment.cutmix:
        mix = Mixup(config.augment.mixup, config.augment.cutmix, label_smoothing=0, num_classes=num_classes)
    if config.balance == "loss":
        weights = class_weights(dataset.train.labels, num_classes).to(device)
    return StepRecipe(
        rate=partial(
            learning_rate,
            steps=steps * config.epochs,
            peak=config.lr,
            warmup=config.warmup,
            schedule=config.schedule,
        ),
        size=frame_size(epoch, config.epochs, config.train_sizes, preprocessing.height, preprocessing.width),
        preprocessing=preprocessing,
        change=config.augmentation(),
        mix=mix,
        label_smoothing=config.label_smoothing,
        class_weights=weights,
        clip_grad=config.clip_grad,
        accumulate=config.accumulate,
        seed=config.seed,
        rank=rank,
    )


def validate(trainee: Trainee, config: Config, dataset: Dataset, cache: FrameCache, world: World) -> Evaluation:
    """Score the averaged weights folded and in fp32: the very network that conversion will deploy.

    It costs two thirds more than bf16, and the figure is the one that evaluation gives afterwards. Several
    processes score a share each, every frame once, and all return the whole.
    """
    preprocessing = config.preprocessing()
    world.copy_from_first(trainee.ema.module)  # BatchNorm's statistics are each process's own
    classifier = FrameNetwork(answering(fold(trainee.ema.module)), preprocessing).to(trainee.device).eval()

    def infer(frames: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            return classifier(torch.from_numpy(frames).to(trainee.device)).cpu().numpy()

    result, *others = world.gather(
        evaluate(
            infer,
            dataset.val,
            preprocessing,
            len(dataset.class_names),
            config.batch_size,
            choose_threads(config.threads, world.local_size),
            rows=np.arange(world.rank, len(dataset.val), world.size),
            cache=cache,
        )
    )
    for other in others:
        result.merge(other)
    if len(result.unread) == len(dataset.val):
        raise InputError(f"{dataset.val.source}: none of its files could be read; tool/check_dataset.py says why")
    if not math.isfinite(result.scores.summary().top1):
        raise InputError(f"{dataset.val.source}: no line has a class index; tool/get_annotation.py writes them")
    return result

"""Validation after an epoch, and calibration after the last one."""

import math
from dataclasses import replace

import numpy as np

from game_classifier.device import choose_threads
from game_classifier.errors import InputError
from game_classifier.frames.cache import FrameCache
from game_classifier.lists.dataset import Dataset
from game_classifier.models.checkpoint import load_checkpoint, save_checkpoint
from game_classifier.models.fold import fold
from game_classifier.models.frame_network import FrameNetwork, answering, frame_network
from game_classifier.tasks.evaluate import Evaluation, evaluate
from game_classifier.training.session import Session


def calibrate(session: Session, dataset: Dataset, caches: tuple[FrameCache | None, FrameCache | None]) -> str:
    """Calibrate the best checkpoint on the data set, unless that is done; returns what was measured."""
    best = load_checkpoint(session.best_path)
    if best.temperature is not None:
        return f"temperature {best.temperature:.3f}"
    config, device = session.config, session.trainee.device
    network = FrameNetwork(fold(best.build()), best.preprocessing).to(device).eval()
    adjustment = session.task.calibrate(network, dataset, config, choose_threads(config.threads), caches)
    save_checkpoint(session.best_path, replace(best, temperature=adjustment.temperature, known=adjustment.known))
    return adjustment.sentence


def validate(session: Session, dataset: Dataset, cache: FrameCache | None) -> Evaluation:
    """Score the averaged weights, folded and in fp32: exactly the network that conversion will deploy.

    This costs two thirds more than bf16, but gives the same score as a later evaluation. Several
    processes score a share each, every frame once, and all return the whole.
    """
    config, trainee, world, task = session.config, session.trainee, session.world, session.task
    preprocessing = config.preprocessing()
    world.copy_from_first(trainee.ema.module)  # BatchNorm's statistics are each process's own
    network = frame_network(answering(fold(trainee.ema.module)), preprocessing).to(trainee.device).eval()
    result, *others = world.gather(
        evaluate(
            network.infer,
            task,
            dataset.class_names,
            dataset.val,
            preprocessing,
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
    if not math.isfinite(result.scores.figures()[task.best_by]):
        raise InputError(f"{dataset.val.source}: {task.nothing_to_score}")
    return result

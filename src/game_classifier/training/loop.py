"""One epoch of training."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from game_classifier.data.augment import Augmentation, augment
from game_classifier.data.frames import FrameStatus, Preprocessing
from game_classifier.data.loader import Batch
from game_classifier.device import DTYPES
from game_classifier.errors import InputError
from game_classifier.report.progress import progress
from game_classifier.training.trainee import Trainee, uses_channels_last


@dataclass
class EpochResult:
    """What an epoch of training leaves behind besides the weights."""

    loss: float  # mean over the frames
    frames: int
    unread: dict[int, FrameStatus] = field(default_factory=dict)  # row -> reason


def train_one_epoch(
    trainee: Trainee,
    batches: Iterable[Batch],
    labels: np.ndarray,
    frames_in_epoch: int,
    *,
    rate: Callable[[int], float],
    size: tuple[int, int],
    preprocessing: Preprocessing,
    change: Augmentation,
    label_smoothing: float,
    generator: torch.Generator,
    title: str,
) -> EpochResult:
    """Train on `batches`; `labels` int [N] are those of the whole list, `rate` maps a step to its rate.

    Frames that could not be read are left out of their batch, never replaced. Raises InputError at a loss
    that is not finite, before it reaches the weights.
    """
    trainee.network.train()
    mean, std = (
        torch.tensor(values, device=trainee.device).reshape(1, 3, 1, 1) * 255
        for values in (preprocessing.mean, preprocessing.std)
    )
    result = EpochResult(loss=0.0, frames=0)
    with progress(total=frames_in_epoch, unit="frame", desc=title, leave=False) as bar:
        for batch in batches:
            for position in np.flatnonzero(batch.status):
                result.unread[int(batch.rows[position])] = FrameStatus(batch.status[position])
            good = batch.readable()
            bar.update(len(batch.rows))
            if not len(good.rows):
                continue
            frames = torch.from_numpy(good.frames).to(trainee.device).permute(0, 3, 1, 2)
            targets = torch.from_numpy(labels[good.rows]).long().to(trainee.device)
            pixels = (augment(frames, size, change, generator) - mean) / std
            lr = rate(trainee.step)
            loss = _step(trainee, pixels, targets, lr, label_smoothing)
            result.loss += loss * len(good.rows)
            result.frames += len(good.rows)
            bar.set_postfix(loss=f"{result.loss / result.frames:.3f}", lr=f"{lr:.2g}", refresh=False)
    result.loss /= max(1, result.frames)
    return result


def _step(trainee: Trainee, pixels: Tensor, targets: Tensor, lr: float, label_smoothing: float) -> float:
    """One update from float [n, 3, H, W] and int [n]; returns the batch's mean loss."""
    for group in trainee.optimizer.param_groups:
        group["lr"] = lr
    if uses_channels_last(trainee.device, trainee.precision):
        pixels = pixels.contiguous(memory_format=torch.channels_last)
    dtype = DTYPES[trainee.precision]
    with torch.autocast(trainee.device.type, dtype, enabled=dtype != torch.float32):
        logits = trainee.network(pixels)
    loss = F.cross_entropy(logits.float(), targets, label_smoothing=label_smoothing)
    value = loss.item()
    if not np.isfinite(value):
        raise InputError(
            f"the loss is {value} at step {trainee.step} with learning rate {lr:.3g}; lower lr (--set lr=...),"
            " the last checkpoint is whole"
        )
    trainee.optimizer.zero_grad(set_to_none=True)
    trainee.scaler.scale(loss).backward()
    trainee.scaler.step(trainee.optimizer)
    trainee.scaler.update()
    trainee.step += 1
    trainee.ema.update(trainee.network, step=trainee.step)
    return value

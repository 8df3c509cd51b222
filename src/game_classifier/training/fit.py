"""A whole training, from a data set and a recipe to checkpoints, a log and curves."""

import json
import math
import time
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from game_classifier.config import Config
from game_classifier.data.dataset import Dataset
from game_classifier.data.loader import load_batches
from game_classifier.device import choose_threads
from game_classifier.errors import InputError
from game_classifier.models.checkpoint import Checkpoint, save_checkpoint
from game_classifier.models.fold import FrameClassifier, fold
from game_classifier.models.zoo import require_known
from game_classifier.report.evaluate import Evaluation, evaluate, unread_lines
from game_classifier.report.plots import plot_curves
from game_classifier.report.tables import summary_table
from game_classifier.storage import make_folder, write_json, write_text
from game_classifier.training.loop import EpochResult, train_one_epoch
from game_classifier.training.schedule import frame_size, learning_rate
from game_classifier.training.trainee import Trainee, load_training, new_trainee


def fit(config: Config, dataset: Dataset, out: Path, resume: bool) -> Path:
    """Train by the recipe and return the best checkpoint's path.

    After each epoch: validation with the averaged weights, a table, the checkpoints
    `out/model/NETWORK_best.pth` and `_last.pth`, a line of `out/metrics.jsonl`, and `out/curves.png`.
    With `resume`, goes on after the last whole epoch, or starts where there is none. Each epoch's randomness
    comes from the seed and the epoch alone, so that a resumed training takes the course of an uninterrupted one.

    Raises InputError for an unknown network, a folder that cannot be written, and a training that stands
    there already and is not resumed, or cannot be.
    """
    require_known(config.network)
    models = make_folder(out / "model")
    best_path, last_path = (models / f"{config.network}_{which}.pth" for which in ("best", "last"))
    identity = _identity(config, dataset)
    training = load_training(last_path, identity, resume)
    trainee = new_trainee(config, len(dataset.class_names))
    history: list[dict[str, Any]] = []
    if training:
        trainee.load_state_dict(training["trainee"])
        history = training["history"]
    write_json(out / "config.json", config.model_dump(mode="json"))
    print(
        f"{config.network} on {trainee.device} in {trainee.precision}: {len(dataset.class_names)} classes,"
        f" {len(dataset.train)} training frames, {len(dataset.val)} validation frames"
    )
    if history:
        print(f"resumed after epoch {len(history)} of {config.epochs}")

    best = max((record["top1"] for record in history), default=0.0)
    for epoch in range(len(history), config.epochs):
        start = time.perf_counter()
        trained = train_epoch(trainee, config, dataset, epoch)
        seconds = time.perf_counter() - start
        validation = validate(trainee, config, dataset)
        summary = validation.scores.summary()
        if epoch == 0:
            for line in unread_lines(dataset.train, trained.unread) + unread_lines(dataset.val, validation.unread):
                print(line)
        print(summary_table(f"Epoch {epoch + 1} of {config.epochs}, loss {trained.loss:.3f}", summary))
        history.append(_record(epoch, trained, seconds, validation))

        checkpoint = Checkpoint(
            network=config.network,
            class_names=dataset.class_names,
            preprocessing=config.preprocessing(),
            state_dict=trainee.ema.module.state_dict(),
            epoch=epoch + 1,
            metrics=asdict(summary),
            config=config.model_dump(mode="json"),
        )
        if summary.top1 >= best:  # of equals the later: it was trained on at a lower rate
            best = summary.top1
            save_checkpoint(best_path, checkpoint)
        checkpoint.training = {"identity": identity, "trainee": trainee.state_dict(), "history": history}
        save_checkpoint(last_path, checkpoint)
        write_text(out / "metrics.jsonl", "".join(f"{json.dumps(record)}\n" for record in history))
        plot_curves(out / "curves.png", history)
    return best_path


def train_epoch(trainee: Trainee, config: Config, dataset: Dataset, epoch: int) -> EpochResult:
    """Train on every training frame once, in an order of this epoch's own; an incomplete last batch is left out.

    A list that is too short for `min_steps` is gone through again, each time in another order.
    """
    generator = torch.Generator().manual_seed(config.seed * 1_000_003 + epoch)
    torch.manual_seed(config.seed * 1_000_003 + epoch)  # dropout
    steps = max(config.min_steps, len(dataset.train) // config.batch_size)
    passes = math.ceil(steps * config.batch_size / len(dataset.train))
    orders = [torch.randperm(len(dataset.train), generator=generator) for _ in range(passes)]
    rows = torch.cat(orders).numpy()[: steps * config.batch_size]
    preprocessing = config.preprocessing()
    result = train_one_epoch(
        trainee,
        load_batches(dataset.train.paths, rows, preprocessing, config.batch_size, choose_threads(config.threads)),
        dataset.train.labels,
        len(rows),
        rate=partial(learning_rate, steps=steps * config.epochs, peak=config.lr, warmup=config.warmup),
        size=frame_size(epoch, config.epochs, config.train_sizes, preprocessing.height, preprocessing.width),
        preprocessing=preprocessing,
        change=config.augmentation(),
        label_smoothing=config.label_smoothing,
        generator=generator,
        title=f"epoch {epoch + 1}/{config.epochs}",
    )
    if not result.frames:
        raise InputError(f"{dataset.train.source}: none of its files could be read; tool/check_dataset.py says why")
    return result


def validate(trainee: Trainee, config: Config, dataset: Dataset) -> Evaluation:
    """Score the averaged weights folded and in fp32: the very network that conversion will deploy.

    It costs two thirds more than bf16, and the figure is the one that evaluation gives afterwards.
    """
    preprocessing = config.preprocessing()
    classifier = FrameClassifier(fold(trainee.ema.module), preprocessing).to(trainee.device).eval()

    def classify(frames: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            return classifier(torch.from_numpy(frames).to(trainee.device)).cpu().numpy()

    threads = choose_threads(config.threads)
    result = evaluate(classify, dataset.val, preprocessing, len(dataset.class_names), config.batch_size, threads)
    if len(result.unread) == len(dataset.val):
        raise InputError(f"{dataset.val.source}: none of its files could be read; tool/check_dataset.py says why")
    return result


def _record(epoch: int, trained: EpochResult, seconds: float, validation: Evaluation) -> dict[str, Any]:
    """One line of metrics.jsonl; scores are in 0..1."""
    return {
        "epoch": epoch + 1,
        "train_loss": trained.loss,
        "train_seconds": round(seconds, 2),
        "frames_per_second": round(trained.frames / seconds, 1),
        "train_unread": len(trained.unread),
        "val_unread": len(validation.unread),
        **asdict(validation.scores.summary()),
    }


def _identity(config: Config, dataset: Dataset) -> dict[str, Any]:
    """What a training may not change between an interruption and its resume."""
    ours = ("device", "precision", "threads")  # the machine's, free to change
    recipe = {key: value for key, value in config.model_dump(mode="json").items() if key not in ours}
    lists = {"train list": dataset.train.sha256, "val list": dataset.val.sha256}
    return {**recipe, **lists, "class list": list(dataset.class_names)}

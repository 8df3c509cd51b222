"""A training's whole state, in memory and in its last checkpoint: everything that an interruption must not lose."""

import json
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import torch

from game_classifier.config import Config
from game_classifier.errors import InputError
from game_classifier.lists.dataset import Dataset
from game_classifier.models.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from game_classifier.models.zoo import require_frame_sizes
from game_classifier.tasks.choose import task_of
from game_classifier.tasks.evaluate import Evaluation
from game_classifier.training.schedule import frame_sizes, training_length
from game_classifier.training.trainee import Position, Trainee, new_trainee
from game_classifier.training.world import World

# What may change between an interruption and the resume: the machine, and how long to train.
FREE_KEYS = (
    "device",
    "precision",
    "threads",
    "cache_gb",
    "save_minutes",
    "epochs",
    "views_per_class",
    "patience",
    "gate",
)


class Session:
    """The trainee, its position, and the epochs that are done."""

    def __init__(self, config: Config, dataset: Dataset, models: Path, world: World, resume: bool) -> None:
        """Start, or with `resume` continue from the last checkpoint in `models` if there is one.

        Raises InputError if there is one but `resume` is False, and, naming the differences, if it was made with
        another recipe, class list or lists.
        """
        self.config = config
        self.class_names = dataset.class_names
        self.data = {
            "folder": str(dataset.folder.absolute()),
            "root": str(dataset.root.absolute()) if dataset.root else "",
            "val_sha256": dataset.val.sha256,
        }
        self.world = world
        self.length = training_length(
            len(dataset.train),
            len(dataset.class_names),
            config.batch_size * config.accumulate,
            config.min_steps,
            config.epochs,
            config.views_per_class,
        )
        self.best_path, self.last_path = (models / f"{config.network}_{which}.pth" for which in ("best", "last"))
        self.identity = _identity(config, dataset)
        kept = _load(self.last_path, self.identity, self.length.epochs, resume)
        self.task = task_of(config.network)
        self.trainee: Trainee
        prepare = partial(self.task.prepare, config=config, dataset=dataset)
        self.trainee, self.origin = new_trainee(config, dataset.class_names, world, kept is None, prepare)
        require_frame_sizes(self.trainee.network, config.network, frame_sizes(config))
        self.objective = self.task.objective(config, dataset, self.trainee.device, self.trainee.network)
        self.position = Position()
        self.history: list[dict[str, Any]] = []  # a record of each epoch, as in metrics.jsonl but without the times
        self.best_scores: dict[str, torch.Tensor] = {}  # the state of the best epoch's scores
        if kept:
            state = kept.training
            self.trainee.load_state_dict(state["trainee"], kept.state_dict)
            self.history, self.best_scores = state["history"], state["best_scores"]
            self.position = Position(**state["position"])
            self.origin = f"resumed after {self.position} of {self.length.epochs}"
            if not world.is_first:  # the first process's position holds the sum over all of them
                self.position = Position(self.position.epoch, self.position.step)

    @property
    def is_finished(self) -> bool:
        """Whether all epochs are done, or the last `patience` epochs brought no better one."""
        return self.position.epoch >= self.length.epochs or self.is_out_of_patience

    @property
    def is_out_of_patience(self) -> bool:
        """Whether none of the last `patience` epochs was better than the epochs before them."""
        patience = self.config.patience
        if not patience or len(self.history) <= patience:
            return False
        scores = [record[self.task.best_by] for record in self.history]
        return max(scores[-patience:]) <= max(scores[:-patience])

    def end_epoch(self, seen: Position, validation: Evaluation) -> dict[str, Any]:
        """Add the current epoch, write both checkpoints, and return its record; scores are in 0..1."""
        figures = validation.scores.figures()
        record = {
            "epoch": self.position.epoch + 1,
            "train_loss": seen.loss_sum / max(1, seen.frames),
            "train_unread": len(seen.unread),
            "val_unread": len(validation.unread),
            **figures,
        }
        best_by = self.task.best_by
        best = max((each[best_by] for each in self.history), default=0.0)
        self.history.append(record)
        self.position = Position(epoch=self.position.epoch + 1)
        self.trainee.require_finite()
        if figures[best_by] >= best:  # of equals the later: it was trained on at a lower rate
            self.best_scores = validation.scores.state_dict()
            if self.world.is_first:
                save_checkpoint(self.best_path, self._checkpoint(figures))
        self.keep()
        return record

    def keep(self) -> None:
        """Write the last checkpoint: the averaged weights, as in any checkpoint, and everything needed to continue."""
        seen = self.seen_by_all()
        self.trainee.require_finite()
        if not self.world.is_first:
            return
        last = self.history[-1] if self.history else {}
        checkpoint = self._checkpoint({key: value for key, value in last.items() if key not in ("epoch", "train_loss")})
        checkpoint.training = {
            "identity": self.identity,
            "trainee": self.trainee.state_dict(),
            "position": asdict(seen),
            "history": self.history,
            "best_scores": self.best_scores,
        }
        save_checkpoint(self.last_path, checkpoint)

    def seen_by_all(self) -> Position:
        """The position, with the frames that all processes have seen in the current epoch."""
        first, *others = self.world.gather(self.position)
        seen = Position(first.epoch, first.step, first.loss_sum, first.frames, dict(first.unread))
        for other in others:
            seen.loss_sum += other.loss_sum
            seen.frames += other.frames
            seen.unread |= other.unread
        return seen

    def _checkpoint(self, metrics: dict[str, Any]) -> Checkpoint:
        return Checkpoint(
            network=self.config.network,
            class_names=self.class_names,
            preprocessing=self.config.preprocessing(),
            state_dict=self.trainee.ema.module.state_dict(),
            epoch=self.position.epoch,
            metrics=metrics,
            config=self.config.model_dump(mode="json"),
            data=self.data,
        )


def _identity(config: Config, dataset: Dataset) -> dict[str, Any]:
    """The values that must not change between an interruption and the resume."""
    recipe = {key: value for key, value in config.model_dump(mode="json").items() if key not in FREE_KEYS}
    if config.teacher:  # the same network may lie in another place
        recipe["teacher"] = load_checkpoint(Path(config.teacher)).weights_sha256()[:12]
    lists = {"train list": dataset.train.sha256, "val list": dataset.val.sha256}
    lists["background list"] = dataset.background.sha256 if dataset.background else None
    return {**recipe, **lists, "class list": list(dataset.class_names)}


def _over(defaults: dict[str, Any], values: dict[str, Any]) -> dict[str, Any]:
    """`values` with the defaults of keys that are not there, in parts of a recipe too."""
    parts = {
        key: _over(part, values[key]) for key, part in defaults.items() if isinstance(part, dict) and key in values
    }
    return {**defaults, **values, **parts}


def _load(path: Path, identity: dict[str, Any], epochs: int, resume: bool) -> Checkpoint | None:
    if not path.exists():
        return None
    if not resume:
        raise InputError(
            f"{path}: a training already exists here; continue it with --resume, or choose another folder with -o"
        )
    checkpoint = load_checkpoint(path)
    if checkpoint.training is None:
        raise InputError(f"{path}: holds no state to resume from; choose another folder with -o")
    if "best_confusion" in checkpoint.training:  # written before there were tasks
        checkpoint.training["best_scores"] = {"confusion": checkpoint.training.pop("best_confusion")}
    # A key that a later version added had its default before.
    known = _over(Config().model_dump(mode="json"), checkpoint.training["identity"])
    differences = _differences(known, identity)
    if differences:
        raise InputError(
            f"{path}: made with another {', '.join(differences)}; restore this to resume, or choose another folder"
            " with -o"
        )
    if epochs < checkpoint.epoch:
        raise InputError(
            f"{path}: already trained for {checkpoint.epoch} epochs, but the recipe asks for {epochs}; set epochs to"
            f" {checkpoint.epoch} or more, or choose another folder with -o"
        )
    return checkpoint


def _differences(theirs: dict[str, Any], ours: dict[str, Any], prefix: str = "") -> list[str]:
    """The keys whose values differ, short values beside them: `lr (0.1 there, 0.05 now)`."""
    found = []
    for key, value in ours.items():
        other = theirs.get(key)
        if isinstance(value, dict) and isinstance(other, dict):
            found += _differences(other, value, f"{prefix}{key}.")
        elif other != value and "list" in key:
            found.append(key)
        elif other != value:
            found.append(f"{prefix}{key} ({json.dumps(other)} there, {json.dumps(value)} now)")
    return found

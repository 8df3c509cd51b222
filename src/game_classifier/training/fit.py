"""A whole training, from a data set and a recipe to checkpoints, a log and pictures."""

import errno
import shutil
import time
from collections.abc import Callable
from pathlib import Path

from game_classifier.config import Config
from game_classifier.device import choose_threads
from game_classifier.errors import InputError, Interrupted
from game_classifier.frames.cache import FrameCache, open_cache
from game_classifier.frames.decode import FrameStatus
from game_classifier.lists.dataset import Dataset
from game_classifier.lists.filelist import FileList
from game_classifier.models.zoo import has_norm, require_known
from game_classifier.pages.tables import summary_table
from game_classifier.storage import make_folder, remove_abandoned, write_json
from game_classifier.tasks.evaluate import unread_lines
from game_classifier.training.epoch import train_epoch
from game_classifier.training.log import TrainingLog
from game_classifier.training.session import Session
from game_classifier.training.stopping import StopRequest, stop_request
from game_classifier.training.validation import calibrate, validate
from game_classifier.training.world import World

GIGABYTE = 2**30
MOST_WITHOUT_NORM = 0.01  # learning rate of SGD
ALONE = World()


def fit(config: Config, dataset: Dataset, out: Path, resume: bool, world: World = ALONE) -> Path:
    """Train by the recipe and return the best checkpoint's path.

    After each epoch: validation with the averaged weights, a table, the checkpoints
    `out/model/NETWORK_best.pth` and `_last.pth`, and the log of training/log.py; at the end the per-class table
    and `out/confusion.png` of the best weights, whose checkpoint gets its temperature and its `known` score.
    The last checkpoint is written every `save_minutes` too, and
    when the training is stopped by Ctrl-C or SIGTERM, which raises Interrupted. With `resume`, continues from it,
    or starts a new training if there is none. On a CPU with the same number of threads and processes, the final weights
    are exactly those of an uninterrupted training.

    Raises InputError for an unknown network, a folder that cannot be written, and an existing training that is not
    resumed or cannot be.
    """
    require_known(config.network)
    models = make_folder(out / "model")
    session = Session(config, dataset, models, world, resume)
    device, precision = session.trainee.device, session.trainee.precision
    say = print if world.is_first else _say_nothing
    processes = f", {world.size} processes" if world.size > 1 else ""
    say(
        f"{config.network} on {device} in {precision}{processes}: {len(dataset.class_names)} classes,"
        f" {len(dataset.train)} training frames, {len(dataset.val)} validation frames;"
        f" {session.length.epochs} epochs of {session.length.steps} steps\n{session.origin}"
    )
    if config.optimizer == "sgd" and config.lr > MOST_WITHOUT_NORM and not has_norm(session.trainee.network):
        say(
            f"note: {config.network} has no BatchNorm, so SGD with lr {config.lr} may not train it; muon does, with"
            " lr 0.003"
        )
    if world.is_first:
        remove_abandoned(models)
        write_json(out / "config.json", config.model_dump(mode="json"))
    log = TrainingLog(out, session.history, session.task.curves) if world.is_first else None
    caches = None
    if not session.is_finished:
        caches = open_caches(out / "cache", config, dataset, world)
        with stop_request(patient=world.size > 1) as stop:
            after_step = _keep_in_time(session, stop)
            while not session.is_finished:
                _run_epoch(session, dataset, caches, log, after_step, say)
        if session.is_out_of_patience:
            say(f"training stopped early: none of the last {config.patience} epochs was better (patience)")
    if log:
        log.close()
        _report_best(session, dataset.val, out)
        print(calibrate(session, dataset, caches or (None, None)))
        shutil.rmtree(out / "cache", ignore_errors=True)
    return session.best_path


def _run_epoch(
    session: Session,
    dataset: Dataset,
    caches: tuple[FrameCache, FrameCache],
    log: TrainingLog | None,
    after_step: Callable[[], None],
    say: Callable[[str], None],
) -> None:
    """Train, validate, save, print."""
    trainee, world = session.trainee, session.world
    start, frames_before = time.perf_counter(), session.position.frames
    train_epoch(session, dataset, caches[0], after_step)
    seconds = time.perf_counter() - start
    frames = sum(world.gather(session.position.frames - frames_before))
    seen = session.seen_by_all()
    if not seen.frames:
        raise InputError(
            f"{dataset.train.source}: no batch had two files that could be read; tool/check_dataset.py says why"
        )
    validation = validate(session, dataset, caches[1])
    record = session.end_epoch(seen, validation)
    if log:
        log.add(record, trainee.optimizer.param_groups[0]["lr"], seconds, frames)
    if session.position.epoch == 1:
        unread = {row: FrameStatus(status) for row, status in seen.unread.items()}
        for line in unread_lines(dataset.train, unread) + unread_lines(dataset.val, validation.unread):
            say(line)
    title = f"Epoch {session.position.epoch} of {session.length.epochs}, loss {record['train_loss']:.3f}"
    say(summary_table(title, record, session.task.columns))


def _keep_in_time(session: Session, stop: StopRequest) -> Callable[[], None]:
    """A function to call after each step: it saves the state every `save_minutes`, and stops when asked to."""
    interval = 60 * session.config.save_minutes
    due = time.monotonic() + interval

    def after_step() -> None:
        nonlocal due
        wanted, late = session.world.any(stop.made, session.world.is_first and time.monotonic() >= due)
        if wanted or late:
            session.keep()
            due = time.monotonic() + interval
        if wanted:
            raise Interrupted(
                f"stopped after {session.position}; the state is saved in {session.last_path}; continue with the same"
                " command and --resume, or run the main job again"
            )

    return after_step


def open_caches(folder: Path, config: Config, dataset: Dataset, world: World) -> tuple[FrameCache, FrameCache]:
    """The frames of both lists, decoded by the first process of each machine and mapped by all.

    Raises InputError when the disk is full.
    """
    preprocessing = config.preprocessing()
    threads = choose_threads(config.threads)

    def open_both() -> tuple[FrameCache, FrameCache]:
        budget = int(config.cache_gb * GIGABYTE)
        train = open_cache(folder, dataset.train.paths, preprocessing, budget, threads)
        budget -= train.frames.nbytes + train.status.nbytes
        return train, open_cache(folder, dataset.val.paths, preprocessing, budget, threads)

    if world.local_rank == 0:
        remove_abandoned(make_folder(folder))
        try:
            open_both()
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                raise
            raise InputError(
                f"{folder}: {error.strerror} for the decoded frames; free some space, or lower cache_gb with"
                f" --set cache_gb=... (now {config.cache_gb:g}; 0 for no cache)"
            ) from None
    world.barrier()
    return open_both()


def _report_best(session: Session, val: FileList, out: Path) -> None:
    """Print the scores of the best epoch's classes, and draw its pictures."""
    scores = session.task.scores(session.class_names, val, session.config.preprocessing())
    scores.load_state_dict(session.best_scores)
    best_by = session.task.best_by
    best = max(session.history, key=lambda record: (record[best_by], record["epoch"]))
    print(scores.describe())
    print(f"the best epoch is {best['epoch']}, with {session.task.curves[best_by]} {100 * best[best_by]:.2f}%")
    scores.draw(out)


def _say_nothing(_: str) -> None:
    """Print nothing: for all processes except the first."""

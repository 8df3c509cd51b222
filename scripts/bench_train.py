"""Measure training beside timm's own loader and loop, on the same frames, network, frame size and batch size.

    python scripts/bench_train.py demo/datasets2                   # frames a second
    python scripts/bench_train.py demo/datasets2 --to 0.95         # and the time to 95% top-1 on the validation list

"ours" is this project. timm runs with the defaults of its train.py (fp32) and with its best flags for this processor
(--channels-last --amp --amp-dtype bfloat16), with one worker for each processor. The three run in turns, and the script
prints the medians. With --to, ours trains with config/default.json. timm trains with its best flags, its own
augmentation and weights, and SGD with a cosine schedule over as many epochs as fit into its time limit: --limit times
the time of ours. Validation is not timed.
"""

import contextlib
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import timm
import torch
from timm.data import create_dataset, create_loader
from timm.optim import create_optimizer_v2
from timm.scheduler import CosineLRScheduler
from torch import nn
from torch.utils.data import DataLoader, RandomSampler

from game_classifier.command import CommandParser, positive, run_command
from game_classifier.config import Config, check_config, read_config
from game_classifier.device import choose_threads
from game_classifier.errors import InputError
from game_classifier.lists.dataset import ANNOTATIONS, Dataset, read_dataset
from game_classifier.models.repvgg import avoid_strided_pointwise
from game_classifier.training import fit as ours
from game_classifier.training.epoch import train_epoch
from game_classifier.training.session import Session
from game_classifier.training.trainee import Position
from game_classifier.training.validation import validate
from game_classifier.training.world import World

NETWORK = "repvgg_a0"
ROUNDS = 3
DEFAULT_CONFIG = Path(__file__).resolve().parents[1] / "config" / "default.json"
MEAN_AND_STD = {"mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)}


def main() -> None:
    """Parse, measure speed in turns, then times to a top-1."""
    parser = CommandParser(__doc__)
    parser.add_argument("dataset", type=Path, help="data set with the lists of tool/get_annotation.py")
    parser.add_argument(
        "--size", type=positive, default=128, help="side of the frames in pixels (default: %(default)s)"
    )
    parser.add_argument("--batch-size", type=positive, default=64, help="frames in a batch (default: %(default)s)")
    parser.add_argument("--steps", type=positive, default=20, help="steps in each round (default: %(default)s)")
    parser.add_argument("--to", type=float, help="also measure the time to this top-1")
    parser.add_argument(
        "--limit", type=float, default=3.0, help="timm's time limit, as a multiple of our time (default: %(default)s)"
    )
    arguments = parser.parse_args()
    size, batch_size = arguments.size, arguments.batch_size
    check_config({"image_size": size, "batch_size": batch_size}, f"--size {size} --batch-size {batch_size}")
    if arguments.to is not None and not 0 < arguments.to <= 1:
        raise InputError(f"--to {arguments.to}: give a share above 0 and up to 1, such as 0.95")
    if arguments.limit <= 0:
        raise InputError(f"--limit {arguments.limit}: give a number above 0, such as 3")
    dataset = read_dataset(arguments.dataset)
    for side in ("train", "val") if arguments.to else ("train",):
        require_class_folders(arguments.dataset / side, dataset)
    compare_speed(dataset, arguments.dataset, arguments.size, arguments.batch_size, arguments.steps)
    if arguments.to:
        compare_times(dataset, arguments.dataset, arguments.size, arguments.batch_size, arguments.to, arguments.limit)


def require_class_folders(folder: Path, dataset: Dataset) -> None:
    """Raise InputError unless timm, which reads folders and no lists, finds the same classes."""
    if not folder.is_dir():
        raise InputError(
            f"{folder}: no such folder; timm reads class folders, so give a data set that tool/split_data.py made"
        )
    for path in sorted(folder.iterdir()):
        if path.is_dir() and path.name not in dataset.class_names:
            raise InputError(
                f"{path}: not a class of {dataset.folder / ANNOTATIONS}; remove it, or make the lists again with"
                " tool/get_annotation.py"
            )


def compare_speed(dataset: Dataset, folder: Path, size: int, batch_size: int, steps: int) -> None:
    """Run all in turns, and print the median frames a second of each."""
    with tempfile.TemporaryDirectory() as scratch:
        runs = {
            "ours": our_steps(dataset, Path(scratch), size, batch_size, steps),
            "timm, its best flags": timm_steps(folder, len(dataset.class_names), size, batch_size, steps, fast=True),
            "timm, its defaults": timm_steps(folder, len(dataset.class_names), size, batch_size, steps, fast=False),
        }
        speeds: dict[str, list[float]] = {name: [] for name in runs}
        for run in runs.values():  # starts workers and libraries
            run()
        for _ in range(ROUNDS):
            for name, run in runs.items():
                start = time.perf_counter()
                run()
                speeds[name].append(steps * batch_size / (time.perf_counter() - start))
    medians = {name: statistics.median(each) for name, each in speeds.items()}
    for name, speed in medians.items():
        print(f"{name}: {speed:.1f} frames/s, ours is {medians['ours'] / speed:.2f} times as fast")


def our_steps(dataset: Dataset, scratch: Path, size: int, batch_size: int, steps: int) -> Callable[[], None]:
    """A round of ours: the default recipe at full size, from its cache."""
    config = Config(image_size=size, batch_size=batch_size, train_sizes=[1.0], epochs=1000)
    session = Session(config, dataset, scratch, World(), resume=False)
    cache, _ = ours.open_caches(scratch / "cache", config, dataset, World())
    if cache.status.all():  # timm stops, too, when it has read no frame
        raise InputError(f"{dataset.train.source}: none of its frames could be read; tool/check_dataset.py says why")

    class Enough(Exception):
        pass

    def run() -> None:
        session.position = Position()

        def after_step() -> None:
            if session.position.step == steps:
                raise Enough

        with contextlib.suppress(Enough):
            train_epoch(session, dataset, cache, after_step)

    return run


def timm_loader(folder: Path, side: str, size: int, batch_size: int) -> Iterator:
    """timm's loader with train.py's defaults; class folders in alphabetical order."""
    return create_loader(
        create_dataset("", root=str(folder / side), split=side, is_training=side == "train"),
        input_size=(3, size, size),
        batch_size=batch_size,
        is_training=side == "train",
        use_prefetcher=False,
        color_jitter=0.4,
        interpolation="random" if side == "train" else "bilinear",
        crop_pct=1.0,
        num_workers=choose_threads(None),
        persistent_workers=True,
        **MEAN_AND_STD,
    )


def timm_trainee(num_classes: int, fast: bool) -> tuple[nn.Module, torch.optim.Optimizer]:
    """timm's network and optimiser; without one repair, channels_last would crash on CPUs (see models/zoo.py)."""
    network = timm.create_model(NETWORK, num_classes=num_classes).train()
    if fast:
        avoid_strided_pointwise(network)
        network = network.to(memory_format=torch.channels_last)
    return network, create_optimizer_v2(network, opt="sgd", lr=0.1, momentum=0.9, weight_decay=2e-5)


def timm_step(network: nn.Module, optimizer: torch.optim.Optimizer, batch: tuple, fast: bool) -> None:
    """One step of timm's train_one_epoch, label smoothing 0.1."""
    pixels, targets = batch
    if fast:
        pixels = pixels.contiguous(memory_format=torch.channels_last)
    with torch.autocast("cpu", torch.bfloat16, enabled=fast):
        loss = nn.functional.cross_entropy(network(pixels), targets, label_smoothing=0.1)
    loss.backward()
    optimizer.step()
    optimizer.zero_grad()


def timm_steps(
    folder: Path, num_classes: int, size: int, batch_size: int, steps: int, fast: bool
) -> Callable[[], None]:
    """A round of timm's."""
    frames = timm_loader(folder, "train", size, batch_size).dataset
    # timm's loader except for its end: a loader left in the middle would keep decoding during the next round.
    loader = DataLoader(
        frames,
        batch_size,
        sampler=RandomSampler(frames, num_samples=steps * batch_size),
        num_workers=choose_threads(None),
        persistent_workers=True,
    )
    network, optimizer = timm_trainee(num_classes, fast)

    def run() -> None:
        for batch in loader:
            timm_step(network, optimizer, batch, fast)

    return run


def compare_times(dataset: Dataset, folder: Path, size: int, batch_size: int, goal: float, limit: float) -> None:
    """Print after how many seconds of training each reaches `goal` on the validation list."""
    spent = _until(goal, "ours", our_epochs(dataset, size, batch_size))
    if spent is not None:
        theirs = timm_epochs(folder, len(dataset.class_names), size, batch_size, limit * spent)
        reached = _until(goal, "timm", theirs)
        ratio = f"{reached / spent:.2f}" if reached else f"above {limit:g}"
        print(f"timm's time over ours to {goal:.0%}: {ratio}")


def _until(goal: float, name: str, epochs: Iterator[tuple[float, float]]) -> float | None:
    """Print each epoch's top-1; the seconds at which `goal` was reached, or None."""
    for top1, spent in epochs:
        print(f"{name}: {top1:.2%} after {spent:.0f} s", flush=True)
        if top1 >= goal:
            return spent
    return None


def our_epochs(dataset: Dataset, size: int, batch_size: int) -> Iterator[tuple[float, float]]:
    """Train with config/default.json; yield (top-1, seconds) after each epoch, including the time to make the cache."""
    config = read_config(DEFAULT_CONFIG, [f"image_size={size}", f"batch_size={batch_size}"])
    with tempfile.TemporaryDirectory() as scratch:
        session = Session(config, dataset, Path(scratch), World(), resume=False)
        start = time.perf_counter()
        caches = ours.open_caches(Path(scratch) / "cache", config, dataset, World())
        spent = time.perf_counter() - start
        for epoch in range(session.length.epochs):
            start = time.perf_counter()
            session.position = Position(epoch)
            train_epoch(session, dataset, caches[0], lambda: None)
            spent += time.perf_counter() - start
            yield validate(session, dataset, caches[1]).scores.figures()["top1"], spent


def timm_epochs(
    folder: Path, num_classes: int, size: int, batch_size: int, allowed: float
) -> Iterator[tuple[float, float]]:
    """Train as timm does with its best flags for `allowed` seconds; yield (top-1, seconds) after each epoch."""
    loader = timm_loader(folder, "train", size, batch_size)
    validation = timm_loader(folder, "val", size, batch_size)
    network, optimizer = timm_trainee(num_classes, fast=True)
    scheduler = None
    spent, epoch = 0.0, 0
    while spent < allowed:
        start = time.perf_counter()
        network.train()
        for batch in loader:
            timm_step(network, optimizer, batch, fast=True)
        spent += time.perf_counter() - start
        epoch += 1
        if scheduler is None:  # the first epoch tells how many there will be
            scheduler = CosineLRScheduler(optimizer, t_initial=max(2, round(allowed / spent)))
        scheduler.step(epoch)
        network.eval()
        right = total = 0
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
            for pixels, targets in validation:
                logits = network(pixels.contiguous(memory_format=torch.channels_last))
                right += int((logits.argmax(1) == targets).sum())
                total += len(targets)
        yield right / total, spent


if __name__ == "__main__":
    run_command(main)

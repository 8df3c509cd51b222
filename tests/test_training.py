import csv
import errno
import json
import math
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import timm
import torch
from conftest import make_dataset, tiny_config

from game_classifier.config import AugmentConfig
from game_classifier.errors import InputError
from game_classifier.frames.augment import augment
from game_classifier.lists.dataset import read_dataset
from game_classifier.models.checkpoint import load_checkpoint
from game_classifier.tasks.classification.objective import ClassObjective
from game_classifier.training import epoch as epoch_module
from game_classifier.training import fit as fit_module
from game_classifier.training.fit import fit
from game_classifier.training.schedule import Length, frame_size, learning_rate, training_length
from game_classifier.training.trainee import new_trainee
from game_classifier.training.world import World


def test_the_rate_rises_to_its_peak_and_falls_to_nothing():
    rates = [learning_rate(step, 100, 0.5, 0.1) for step in range(100)]
    assert np.argmax(rates) == 10
    assert rates[10] == 0.5
    assert all(a < b for a, b in pairwise(rates[:11]))
    assert all(a > b for a, b in pairwise(rates[10:]))
    assert rates[0] > 0
    assert 0 < rates[-1] < 0.001
    assert learning_rate(55, 100, 0.5, 0.1) == pytest.approx(0.25)
    assert learning_rate(0, 10, 0.5, 0) == 0.5


def test_one_cycle_is_the_schedule_of_torch():
    optimizer = torch.optim.SGD([torch.zeros(1)], lr=1)
    reference = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, 0.5, total_steps=101, pct_start=0.3, final_div_factor=1e9
    )
    for step in range(100):
        rate = learning_rate(step, 100, 0.5, 0.3, "one_cycle")
        assert rate == pytest.approx(reference.get_last_lr()[0], abs=0.02), step  # it counts half a step otherwise
        optimizer.step()
        reference.step()


def test_frames_grow_to_the_full_size():
    sizes = [frame_size(step, 6, [0.75, 0.875, 1.0], 128, 224) for step in range(6)]
    assert sizes == [(96, 160), (96, 160), (112, 192), (112, 192), (128, 224), (128, 224)]
    assert frame_size(0, 1, [0.75, 1.0], 128, 128) == (96, 96)
    assert frame_size(1, 2, [0.5, 1.0], 70, 24) == (70, 24)  # what validation and the deployed files use


@pytest.mark.parametrize(
    ("frames", "classes", "views_per_class", "expected"),
    [
        (8320, 104, 480, Length(6, 130)),  # the demo: 49,920 frames
        (4680, 104, 480, Length(11, 73)),  # fewer frames, more passes
        (20_800, 104, 480, Length(2, 325)),
        (208_000, 104, 480, Length(1, 3250)),  # every frame once at least
        (90, 2, 480, Length(6, 40)),  # as for 32 classes, in epochs of min_steps
        (10_000, 500, 480, Length(24, 156)),
        (8320, 104, 240, Length(3, 130)),
    ],
)
def test_the_length_of_a_training_counts_work(frames, classes, views_per_class, expected):
    assert training_length(frames, classes, 64, 40, None, views_per_class) == expected


def test_a_number_of_epochs_is_an_explicit_choice():
    assert training_length(8320, 104, 64, 40, 9, None) == Length(9, 130)


def test_sizes_change_within_an_epoch(trained, tmp_path, monkeypatch):
    """A training of one epoch goes through all sizes and ends at the one that is deployed."""
    seen, make = [], ClassObjective.batch

    def batch(objective, frames, rows, size, progress, generator):
        seen.append(size)
        return make(objective, frames, rows, size, progress, generator)

    monkeypatch.setattr(ClassObjective, "batch", batch)
    config = tiny_config(epochs=1, image_size=64, train_sizes=[0.5, 0.75, 1.0], min_steps=6)
    fit(config, read_dataset(trained.dataset), tmp_path / "out", resume=False)
    assert seen == [(32, 32)] * 2 + [(48, 48)] * 2 + [(64, 64)] * 2


def test_the_last_frames_keep_their_place(trained, tmp_path, monkeypatch):
    """The last fifth of the steps neither zooms nor shifts nor erases; stream layouts stay."""
    seen = []

    def remember(frames, size, change, generator):
        seen.append(change)
        return augment(frames, size, change, generator)

    monkeypatch.setattr("game_classifier.tasks.classification.objective.augment", remember)
    config = tiny_config(epochs=2, min_steps=5)
    fit(config, read_dataset(trained.dataset), tmp_path / "out", resume=False)
    change = config.augmentation()
    assert seen == [change] * 8 + [replace(change, zoom=0, shift=0, erase=0)] * 2


def test_a_training_leaves_what_it_promises_and_learns(trained):
    out = trained.out
    names = {path.name for path in out.iterdir()} - {"tensorboard"}
    assert names == {"config.json", "confusion.png", "curves.png", "metrics.csv", "metrics.jsonl", "model"}
    assert sorted(path.name for path in (out / "model").iterdir()) == ["repvgg_tiny_best.pth", "repvgg_tiny_last.pth"]
    records = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    assert [record["epoch"] for record in records] == [1, 2]
    assert records[-1]["top1"] > 0.6
    for name in ("curves.png", "confusion.png"):
        assert (out / name).read_bytes().startswith(b"\x89PNG")
    with (out / "metrics.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [{key: float(value) for key, value in row.items()} for row in rows] == records
    best = load_checkpoint(trained.best)
    assert best.class_names == ("green", "red stripes", "蓝色")
    assert best.metrics["top1"] == max(record["top1"] for record in records)
    assert not {"train_seconds", "frames_per_second"} & set(best.metrics)  # equal trainings, equal files
    assert best.training is None
    assert best.config == json.loads((out / "config.json").read_text())


def test_a_training_that_stands_there_is_never_overwritten(tmp_path, trained):
    data = read_dataset(trained.dataset)
    before = trained.best.read_bytes()
    with pytest.raises(InputError, match="a training already exists here; continue it with --resume"):
        fit(tiny_config(min_steps=30, lr=0.005), data, trained.out, resume=False)
    with pytest.raises(InputError, match=r"made with another lr \(0.005 there, 0.5 now\); restore this"):
        fit(tiny_config(min_steps=30, lr=0.5), data, trained.out, resume=True)
    other = read_dataset(make_dataset(tmp_path / "other", train=4))
    with pytest.raises(InputError, match=r"another augment.zoom \(0.15 there, 0.3 now\), augment.erase \(0.25 there, "):
        augment = AugmentConfig(zoom=0.3, erase=0.0)
        fit(tiny_config(min_steps=30, lr=0.005, augment=augment), data, trained.out, resume=True)
    with pytest.raises(InputError, match="already trained for 2 epochs, but the recipe asks for 1; set epochs to 2 or"):
        fit(tiny_config(min_steps=30, lr=0.005, epochs=1), data, trained.out, resume=True)
    with pytest.raises(InputError, match="made with another train list; restore this"):
        fit(tiny_config(min_steps=30, lr=0.005), other, trained.out, resume=True)
    assert trained.best.read_bytes() == before


def test_a_finished_training_resumed_does_nothing(trained, capsys):
    before = trained.best.stat().st_mtime_ns
    fit(tiny_config(min_steps=30, lr=0.005), read_dataset(trained.dataset), trained.out, resume=True)
    assert trained.best.stat().st_mtime_ns == before
    assert "resumed after epoch 2 of 2" in capsys.readouterr().out


def test_unreadable_training_files_are_left_out_and_named(tmp_path, capsys):
    data = make_dataset(tmp_path / "data")
    (data / "train" / "green" / "0_0.jpg").write_bytes(b"")
    (data / "val" / "green" / "100.jpg").write_bytes(b"not an image")
    fit(tiny_config(epochs=1), read_dataset(data), tmp_path / "out", resume=False)
    out = capsys.readouterr().out
    assert "1 of 18 files of" in out
    assert "line 1: " in out
    assert "0_0.jpg: empty" in out
    assert "100.jpg: not_an_image" in out
    [record] = [json.loads(line) for line in (tmp_path / "out" / "metrics.jsonl").read_text().splitlines()]
    assert (record["train_unread"], record["val_unread"]) == (1, 1)


def test_a_training_without_one_readable_file_says_so(tmp_path):
    data = make_dataset(tmp_path / "data", train=1, val=1)
    for path in (data / "train").rglob("*.jpg"):
        path.write_bytes(b"")
    with pytest.raises(InputError, match=r"train.txt: no batch had two files that could be read; tool/check"):
        fit(tiny_config(epochs=1), read_dataset(data), tmp_path / "out", resume=False)


def test_a_validation_list_without_one_readable_file_says_so(tmp_path):
    data = make_dataset(tmp_path / "data", train=2, val=1)
    for path in (data / "val").rglob("*.jpg"):
        path.write_bytes(b"")
    with pytest.raises(InputError, match=r"val.txt: none of its files could be read"):
        fit(tiny_config(epochs=1), read_dataset(data), tmp_path / "out", resume=False)


def test_a_batch_without_one_readable_file_teaches_nothing(tmp_path):
    data = make_dataset(tmp_path / "data", train=4)
    for path in sorted((data / "train").rglob("*.jpg"))[6:]:
        path.write_bytes(b"")
    config = tiny_config(epochs=1, batch_size=2, min_steps=6, image_size=32)
    assert load_checkpoint(fit(config, read_dataset(data), tmp_path / "out", resume=False)).epoch == 1


def test_a_loss_that_is_not_finite_stops_before_the_weights_are_spoilt(tmp_path, trained):
    with pytest.raises(InputError, match=r"the (loss is (nan|inf)|weights are no longer finite) at step \d+.*lower lr"):
        fit(tiny_config(lr=1e12, epochs=4), read_dataset(trained.dataset), tmp_path, resume=False)
    for path in (tmp_path / "model").glob("*.pth"):
        weights = load_checkpoint(path).state_dict.values()
        assert all(math.isfinite(value.float().sum()) or value.isinf().sum() == 0 for value in weights)


def test_the_error_of_a_loss_names_rate_and_lines():
    epoch_module.require_finite(0.5, 3, 0.1, np.arange(4))
    with pytest.raises(
        InputError, match=r"the loss is nan at step 3 with learning rate 0.1, in a batch with the lines"
    ) as error:
        epoch_module.require_finite(float("nan"), 3, 0.1, np.array([6, 0, 11, 2, 3, 8, 9]))
    assert "the lines 7, 1, 12, 3, 4 and 2 more of the training list; lower lr" in str(error.value)


def test_weights_that_are_not_finite_are_never_kept(tmp_path, trained, monkeypatch):
    """A step may spoil the weights while its own loss was fine."""

    def spoil(trainee, lr, clip_grad):
        with torch.no_grad():
            next(iter(trainee.network.parameters())).mul_(float("inf"))

    monkeypatch.setattr(epoch_module, "_update", spoil)
    config = tiny_config(save_minutes=0.0)
    with pytest.raises(InputError, match="the weights are no longer finite at step 0; lower lr"):
        fit(config, read_dataset(trained.dataset), tmp_path, resume=False)
    assert not list((tmp_path / "model").iterdir())


def test_training_stops_early_when_nothing_gets_better(tmp_path, trained, capsys):
    # Without BatchNorm, whose statistics change at any rate, every epoch scores the same.
    config = tiny_config(network="squeezenet1_1", epochs=9, patience=2, lr=1e-9, min_steps=1)
    fit(config, read_dataset(trained.dataset), tmp_path, resume=False)
    assert "training stopped early: none of the last 2 epochs was better" in capsys.readouterr().out
    assert len((tmp_path / "metrics.jsonl").read_text().splitlines()) == 3
    fit(config, read_dataset(trained.dataset), tmp_path, resume=True)
    assert len((tmp_path / "metrics.jsonl").read_text().splitlines()) == 3


RECIPES = [
    {"precision": "bf16"},
    {"optimizer": "adamw", "lr": 1e-3},
    {"optimizer": "sgd", "lr": 0.01},
    {"ema_decay": 0.0},
    {"schedule": "one_cycle", "warmup": 0.3, "clip_grad": 1.0, "accumulate": 2},
    {"balance": "loss", "augment": AugmentConfig(mixup=0.2, cutmix=1.0)},
    {"balance": "sampling", "cache_gb": 0.0, "augment": AugmentConfig(mixup=0.2)},
    {"precision": "bf16", "cache_gb": 1e-5},
]


@pytest.mark.parametrize("changes", RECIPES)
def test_other_recipes_run(tmp_path, trained, changes):
    best = fit(tiny_config(epochs=1, **changes), read_dataset(trained.dataset), tmp_path, resume=False)
    assert load_checkpoint(best).epoch == 1


def test_a_training_starts_from_weights_and_does_not_need_them_to_go_on(tmp_path, trained, capsys):
    data, weights = read_dataset(trained.dataset), tmp_path / "start.pth"
    weights.write_bytes(trained.best.read_bytes())
    config = tiny_config(epochs=1, min_steps=1, lr=1e-6, weights_path=str(weights))
    best = load_checkpoint(fit(config, data, tmp_path / "out", resume=False))
    assert f"weights of {weights} (this tool); head: " in capsys.readouterr().out
    before = load_checkpoint(trained.best).state_dict
    changes = [
        (best.state_dict[key] - value).abs().max() for key, value in before.items() if key.endswith("conv.weight")
    ]
    assert max(changes) < 1e-3  # of a fresh start they would be other weights altogether
    weights.unlink()
    assert fit(config.model_copy(update={"epochs": 2}), data, tmp_path / "out", resume=True)


def test_weights_of_the_hub_are_asked_from_timm(trained, monkeypatch):
    build = timm.create_model

    def offline(name, pretrained=False, **options):
        if pretrained:
            raise OSError("no route to the hub\nand more")
        return build(name, **options)

    monkeypatch.setattr(timm, "create_model", offline)
    config = tiny_config(network="repvgg_a0", pretrained="hub")
    with pytest.raises(InputError, match=r"cannot get weights of 'repvgg_a0' \(no route to the hub\); download them"):
        new_trainee(config, ("a", "b"), World(), fresh=True)

    torch.manual_seed(1)
    theirs = build("repvgg_a0", num_classes=2)
    monkeypatch.setattr(
        timm, "create_model", lambda name, pretrained=False, **o: theirs if pretrained else build(name, **o)
    )
    trainee, origin = new_trainee(config, ("a", "b"), World(), fresh=True)
    assert origin == "weights from timm's hub, a new head"
    own = trainee.network.state_dict()
    assert all(torch.equal(value, own[key]) for key, value in theirs.state_dict().items())


def test_an_unknown_optimizer_is_named():
    with pytest.raises(InputError, match="optimizer 'sdg' is not known; give one of timm"):
        new_trainee(tiny_config(optimizer="sdg"), ("a", "b"), World(), fresh=True)


def test_a_disk_without_room_for_the_cache_says_what_to_lower(tmp_path, trained, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(fit_module, "open_cache", full)
    with pytest.raises(
        InputError,
        match=r"cache: No space left on device for the decoded frames; .* cache_gb .*\(now 16; 0 for no cache\)",
    ):
        fit(tiny_config(), read_dataset(trained.dataset), tmp_path, resume=False)


def test_squeezenet_trains_too(tmp_path, trained):
    config = tiny_config(epochs=1, network="squeezenet1_1", lr=0.005)
    assert fit(config, read_dataset(trained.dataset), tmp_path, resume=False).name == "squeezenet1_1_best.pth"


@pytest.mark.parametrize(
    ("network", "recipe", "warned"),
    [
        ("squeezenet1_1", {"lr": 0.1, "optimizer": "sgd"}, True),
        ("squeezenet1_1", {"lr": 0.01, "optimizer": "sgd"}, False),
        ("squeezenet1_1", {"lr": 0.1, "optimizer": "adamw"}, False),
        ("repvgg_tiny", {"lr": 0.1, "optimizer": "sgd"}, False),
    ],
)
def test_a_rate_that_a_network_without_norm_cannot_bear_is_named(tmp_path, trained, capsys, network, recipe, warned):
    config = tiny_config(network=network, epochs=1, min_steps=1, clip_grad=1.0, **recipe)
    fit(config, read_dataset(trained.dataset), tmp_path, resume=False)
    out = capsys.readouterr().out
    assert (f"note: {network} has no BatchNorm, so SGD with lr 0.1 may not train it" in out) == warned

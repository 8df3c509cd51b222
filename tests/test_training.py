import json
import math
from itertools import pairwise

import numpy as np
import pytest
import torch
from conftest import make_dataset, tiny_config

from game_classifier.data.dataset import read_dataset
from game_classifier.errors import InputError
from game_classifier.models.checkpoint import load_checkpoint
from game_classifier.training import fit as fit_module
from game_classifier.training.fit import fit
from game_classifier.training.schedule import frame_size, learning_rate


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


def test_frames_grow_to_the_full_size():
    sizes = [frame_size(epoch, 6, [0.75, 0.875, 1.0], 128, 224) for epoch in range(6)]
    assert sizes == [(96, 160), (96, 160), (112, 192), (112, 192), (128, 224), (128, 224)]
    assert frame_size(0, 1, [0.75, 1.0], 128, 128) == (96, 96)


def test_a_training_leaves_what_it_promises_and_learns(trained):
    out = trained.out
    assert sorted(path.name for path in out.iterdir()) == ["config.json", "curves.png", "metrics.jsonl", "model"]
    assert sorted(path.name for path in (out / "model").iterdir()) == ["repvgg_a0_best.pth", "repvgg_a0_last.pth"]
    records = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    assert [record["epoch"] for record in records] == [1, 2]
    assert records[-1]["top1"] > 0.6
    assert (out / "curves.png").read_bytes().startswith(b"\x89PNG")
    best = load_checkpoint(trained.best)
    assert best.class_names == ("green", "red stripes", "蓝色")
    assert best.metrics["top1"] == max(record["top1"] for record in records)
    assert best.training is None
    assert best.config == json.loads((out / "config.json").read_text())


def test_a_resumed_training_equals_an_uninterrupted_one(tmp_path, trained, monkeypatch):
    config, data = tiny_config(epochs=3), read_dataset(trained.dataset)
    whole = fit(config, data, tmp_path / "whole", resume=False)
    train_epoch = fit_module.train_epoch

    def stop_in_the_third(trainee, config, dataset, epoch):
        result = train_epoch(trainee, config, dataset, epoch)
        if epoch == 2:
            raise KeyboardInterrupt
        return result

    monkeypatch.setattr(fit_module, "train_epoch", stop_in_the_third)
    with pytest.raises(KeyboardInterrupt):
        fit(config, data, tmp_path / "halves", resume=False)
    monkeypatch.undo()
    fit(config, data, tmp_path / "halves", resume=True)
    for name in ("repvgg_a0_best.pth", "repvgg_a0_last.pth"):
        one = load_checkpoint(whole.parent / name)
        other = load_checkpoint(tmp_path / "halves" / "model" / name)
        assert one.epoch == other.epoch
        assert one.metrics == other.metrics
        assert all(torch.equal(value, other.state_dict[key]) for key, value in one.state_dict.items())
    lines = [(tmp_path / each / "metrics.jsonl").read_text().splitlines() for each in ("whole", "halves")]
    scores = [[{k: v for k, v in json.loads(line).items() if "second" not in k} for line in each] for each in lines]
    assert scores[0] == scores[1]


def test_resuming_keeps_the_best_of_before(tmp_path, trained, monkeypatch):
    data, out = read_dataset(trained.dataset), tmp_path / "out"
    best = fit(tiny_config(min_steps=30, lr=0.005), data, out, resume=False)
    last = load_checkpoint(out / "model" / "repvgg_a0_last.pth")
    last.training["history"] = last.training["history"][:1]
    last.training["history"][0]["top1"] = 1.5  # no later epoch can reach it
    fit_module.save_checkpoint(out / "model" / "repvgg_a0_last.pth", last)
    before = best.read_bytes()
    fit(tiny_config(min_steps=30, lr=0.005), data, out, resume=True)
    assert best.read_bytes() == before


def test_a_training_that_stands_there_is_never_overwritten(tmp_path, trained):
    data = read_dataset(trained.dataset)
    before = trained.best.read_bytes()
    with pytest.raises(InputError, match="a training stands there already; go on with it by --resume"):
        fit(tiny_config(min_steps=30, lr=0.005), data, trained.out, resume=False)
    with pytest.raises(InputError, match="made with another lr; restore that"):
        fit(tiny_config(min_steps=30, lr=0.5), data, trained.out, resume=True)
    other = read_dataset(make_dataset(tmp_path / "other", train=4))
    with pytest.raises(InputError, match="made with another train list; restore that"):
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
    with pytest.raises(InputError, match=r"train.txt: none of its files could be read"):
        fit(tiny_config(epochs=1), read_dataset(data), tmp_path / "out", resume=False)


def test_a_validation_list_without_one_readable_file_says_so(tmp_path):
    data = make_dataset(tmp_path / "data", train=2, val=1)
    for path in (data / "val").rglob("*.jpg"):
        path.write_bytes(b"")
    with pytest.raises(InputError, match=r"val.txt: none of its files could be read"):
        fit(tiny_config(epochs=1), read_dataset(data), tmp_path / "out", resume=False)


def test_a_loss_that_is_not_finite_stops_before_the_weights_are_spoilt(tmp_path, trained):
    with pytest.raises(InputError, match=r"the loss is (nan|inf) at step \d+ with learning rate .*lower lr"):
        fit(tiny_config(lr=1e12, epochs=4), read_dataset(trained.dataset), tmp_path, resume=False)
    for path in (tmp_path / "model").glob("*.pth"):
        weights = load_checkpoint(path).state_dict.values()
        assert all(math.isfinite(value.float().sum()) or value.isinf().sum() == 0 for value in weights)


@pytest.mark.parametrize("changes", [{"precision": "bf16"}, {"optimizer": "adamw", "lr": 1e-3}, {"ema_decay": 0.0}])
def test_other_recipes_run(tmp_path, trained, changes):
    best = fit(tiny_config(epochs=1, **changes), read_dataset(trained.dataset), tmp_path, resume=False)
    assert load_checkpoint(best).epoch == 1


def test_squeezenet_trains_too(tmp_path, trained):
    config = tiny_config(epochs=1, network="squeezenet1_1", lr=0.005)
    assert fit(config, read_dataset(trained.dataset), tmp_path, resume=False).name == "squeezenet1_1_best.pth"

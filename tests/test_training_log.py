import sys

import pytest

from game_classifier.tasks.classification.scores import CURVES
from game_classifier.training.log import TrainingLog

SCORES = {"top5": 1.0, "mean_precision": 0.5, "mean_recall": 0.5, "mean_f1": 0.5}


def record(epoch: int) -> dict:
    return {"epoch": epoch, "train_loss": 1 / epoch, "train_unread": 0, "val_unread": 0, "top1": 0.1 * epoch, **SCORES}


def test_a_resumed_log_keeps_the_clocks_of_before_and_drops_what_was_not_kept(tmp_path):
    log = TrainingLog(tmp_path, [], CURVES)
    for epoch in (1, 2, 3):
        log.add(record(epoch), lr=0.1, seconds=2.0 * epoch, frames=100)
    log.close()
    resumed = TrainingLog(tmp_path, [record(1), record(2)], CURVES)  # killed before the third was kept
    assert (tmp_path / "metrics.jsonl").read_text().count("\n") == 2
    resumed.add(record(3), lr=0.1, seconds=50.0, frames=100)
    resumed.close()
    assert [each["train_seconds"] for each in resumed.records] == [2.0, 4.0, 50.0]
    assert (tmp_path / "metrics.jsonl").read_text().count("\n") == 3
    lines = (tmp_path / "metrics.csv").read_text().splitlines()
    assert lines[0].startswith("epoch,train_loss,")
    assert [line.split(",")[0] for line in lines[1:]] == ["1", "2", "3"]


def test_a_log_without_its_clocks_goes_on(tmp_path):
    resumed = TrainingLog(tmp_path, [record(1)], CURVES)
    resumed.add(record(2), lr=0.1, seconds=1.0, frames=10)
    resumed.close()
    assert [line.rpartition(",")[2] for line in (tmp_path / "metrics.csv").read_text().splitlines()[1:]] == ["", "10.0"]


def test_tensorboard_gets_the_scalars_where_it_is_installed(tmp_path):
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    log = TrainingLog(tmp_path, [], CURVES)
    log.add(record(1), lr=0.25, seconds=1.0, frames=10)
    log.add(record(2), lr=0.125, seconds=1.0, frames=10)
    log.close()
    events = accumulator.EventAccumulator(str(tmp_path / "tensorboard"))
    events.Reload()
    assert [(each.step, each.value) for each in events.Scalars("train/lr")] == [(1, 0.25), (2, 0.125)]
    assert [each.value for each in events.Scalars("val/top1")] == pytest.approx([0.1, 0.2])


def test_without_tensorboard_nothing_is_missing(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    log = TrainingLog(tmp_path, [], CURVES)
    log.add(record(1), lr=0.1, seconds=1.0, frames=10)
    log.close()
    assert not (tmp_path / "tensorboard").exists()
    assert (tmp_path / "metrics.csv").exists()

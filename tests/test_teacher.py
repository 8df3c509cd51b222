"""Distillation: what a teacher answers, what the student's loss is, and that such a training is as exact as others."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import Trained, tiny_config
from scipy.special import log_softmax, softmax

from game_classifier.config import AugmentConfig, DistillConfig
from game_classifier.errors import InputError, Interrupted
from game_classifier.lists.dataset import read_dataset
from game_classifier.models.checkpoint import load_checkpoint, save_checkpoint
from game_classifier.tasks.classification.objective import Targets, class_objective
from game_classifier.tasks.classification.teacher import distillation_loss, open_teacher
from game_classifier.training import fit as fit_module
from game_classifier.training.fit import fit

CPU = torch.device("cpu")


def renamed(trained: Trained, path: Path, names: tuple[str, ...]) -> Path:
    """The trained network with its classes called `names`."""
    save_checkpoint(path, replace(load_checkpoint(trained.best), class_names=names))
    return path


def test_a_teacher_answers_in_the_order_of_the_data_set(trained, tmp_path):
    names = load_checkpoint(trained.best).class_names
    pixels = torch.rand(4, 3, 32, 32) * 255
    expected = open_teacher(trained.best, names, CPU, "fp32").logits(pixels)
    order = [2, 0, 1]
    other = open_teacher(trained.best, [names[i] for i in order], CPU, "fp32")
    torch.testing.assert_close(other.logits(pixels), expected[:, order])
    assert not other.logits(pixels).requires_grad


def test_a_teacher_is_the_deployed_network_at_its_own_size(trained):
    checkpoint = load_checkpoint(trained.best)
    teacher = open_teacher(trained.best, checkpoint.class_names, CPU, "fp32")
    pixels = torch.rand(4, 3, 32, 32) * 255
    mean, std = (torch.tensor(v).reshape(1, 3, 1, 1) * 255 for v in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))
    expected = checkpoint.build()((pixels - mean) / std)
    torch.testing.assert_close(teacher.logits(pixels), expected, rtol=1e-3, atol=1e-4)
    larger = pixels.repeat_interleave(2, 2).repeat_interleave(2, 3)
    seen = []
    teacher.network.register_forward_hook(lambda module, inputs, output: seen.append(inputs[0].shape[2:]))
    teacher.logits(larger)
    assert seen == [(32, 32)]


@pytest.mark.parametrize(
    ("names", "complaint"),
    [
        (("green", "red stripes", "pong"), r"\(it does not know 蓝色; it also knows pong\)"),
        (("a", "b", "c"), r"\(it does not know green, red stripes, 蓝色; it also knows a, b, c\)"),
    ],
)
def test_a_teacher_of_other_classes_is_refused_by_name(trained, tmp_path, names, complaint):
    path = renamed(trained, tmp_path / "other.pth", names)
    message = rf"teacher .*other.pth: its classes are not those of the data set {complaint}; train a teacher on"
    with pytest.raises(InputError, match=message):
        fit(tiny_config(teacher=str(path)), read_dataset(trained.dataset), tmp_path / "out", resume=False)


def test_a_teacher_that_is_missing_is_an_error(trained, tmp_path):
    with pytest.raises(InputError, match="no such checkpoint"):
        fit(tiny_config(teacher=str(tmp_path / "none.pth")), read_dataset(trained.dataset), tmp_path, resume=False)


def test_the_distance_is_the_divergence_of_softened_answers():
    random = np.random.default_rng(0)
    student, teacher = random.normal(0, 2, (2, 8, 5))
    for temperature in (1.0, 3.0):
        p = softmax(teacher / temperature, axis=1)
        logs = log_softmax(teacher / temperature, axis=1) - log_softmax(student / temperature, axis=1)
        expected = temperature**2 * (p * logs).sum(axis=1).mean()
        found = distillation_loss(torch.from_numpy(student), torch.from_numpy(teacher), temperature)
        assert found.item() == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("weight", [0.0, 0.3, 1.0])
def test_the_weight_shares_the_loss_between_classes_and_teacher(trained, weight):
    data = read_dataset(trained.dataset)
    config = tiny_config(teacher=str(trained.best), distill=DistillConfig(weight=weight, temperature=2.0))
    objective = class_objective(config, data, CPU)
    outputs, taught = torch.randn(2, 6, 3)
    classes = torch.tensor([0, 1, 2, 2, 1, 0])
    alone = class_objective(tiny_config(), data, CPU).loss(outputs, Targets(classes))
    expected = (1 - weight) * alone + weight * distillation_loss(outputs, taught, 2.0)
    torch.testing.assert_close(objective.loss(outputs, Targets(classes, taught)), expected)


@pytest.mark.parametrize("mixup", [0.0, 0.5])
def test_the_teacher_sees_the_very_frames_of_the_student(trained, mixup):
    """At full size the student's frames and the teacher's are the same, mixed ones too; smaller ones are resized."""
    data = read_dataset(trained.dataset)
    config = tiny_config(teacher=str(trained.best), augment=AugmentConfig(mixup=mixup))
    objective = class_objective(config, data, CPU)
    frames = torch.randint(0, 256, (4, 3, 32, 32), dtype=torch.uint8)
    for size in ((32, 32), (16, 16)):
        np.random.seed(0)
        pixels, targets = objective.batch(frames, np.arange(4), size, 0.0, torch.Generator().manual_seed(0))
        assert pixels.shape[2:] == size
        if size == (32, 32):
            torch.testing.assert_close(targets.taught, objective.teacher.logits(pixels))
            at_full_size = targets.taught
        else:
            torch.testing.assert_close(targets.taught, at_full_size)


def test_a_training_with_a_teacher_resumes_bit_for_bit(trained, tmp_path, monkeypatch):
    data = read_dataset(trained.dataset)
    config = tiny_config(teacher=str(trained.best), augment=AugmentConfig(mixup=0.2), seed=3)
    whole = fit(config, data, tmp_path / "whole", resume=False)
    assert json.loads((tmp_path / "whole" / "config.json").read_text())["teacher"] == str(trained.best)

    def stop(session, dataset, cache, after_step):
        def after():
            after_step()
            if session.trainee.step == 5:
                session.keep()
                raise Interrupted("now")

        real(session, dataset, cache, after)

    real = fit_module.train_epoch
    with monkeypatch.context() as patch:
        patch.setattr(fit_module, "train_epoch", stop)
        with pytest.raises(Interrupted):
            fit(config, data, tmp_path / "out", resume=False)
    other = renamed(trained, tmp_path / "moved.pth", load_checkpoint(trained.best).class_names)
    last = tmp_path / "out" / "model" / "repvgg_tiny_last.pth"
    before = last.read_bytes()
    changed = load_checkpoint(trained.best)
    changed.state_dict["head.fc.bias"] += 1
    save_checkpoint(tmp_path / "changed.pth", changed)
    with pytest.raises(InputError, match=r"made with another teacher \(\"[0-9a-f]{12}\" there, \"[0-9a-f]{12}\" now\)"):
        fit(config.model_copy(update={"teacher": str(tmp_path / "changed.pth")}), data, tmp_path / "out", resume=True)
    assert last.read_bytes() == before
    found = fit(config.model_copy(update={"teacher": str(other)}), data, tmp_path / "out", resume=True)
    mine, theirs = load_checkpoint(found), load_checkpoint(whole)
    assert all(torch.equal(mine.state_dict[key], theirs.state_dict[key]) for key in theirs.state_dict)


def test_the_student_learns_from_the_teacher_alone(trained, tmp_path):
    """With the whole weight on the teacher the classes of the list do not matter."""
    data = read_dataset(trained.dataset)
    recipe = {"teacher": str(trained.best), "distill": DistillConfig(weight=1.0), "min_steps": 30, "seed": 1}
    wrong = replace(data, train=replace(data.train, labels=(data.train.labels + 1) % 3))
    best = load_checkpoint(fit(tiny_config(**recipe), wrong, tmp_path / "out", resume=False))
    assert best.metrics["top1"] > 0.6

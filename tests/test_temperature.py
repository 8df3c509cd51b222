"""The temperature of a classifier: what it is fitted to, and that every deployed form has it."""

import re
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import draw_frame, tiny_config
from scipy.special import log_softmax

from game_classifier.deploy.export import convert
from game_classifier.deploy.frame_sets import gate_frames
from game_classifier.frames.decode import Preprocessing
from game_classifier.lists.dataset import read_dataset
from game_classifier.lists.filelist import FileList
from game_classifier.models.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from game_classifier.models.frame_network import FrameNetwork
from game_classifier.runtime.runner import load_runner
from game_classifier.tasks.choose import task_of
from game_classifier.tasks.classification.temperature import HIGHEST, LOWEST, calibrate, fit_temperature
from game_classifier.training.fit import fit


def drawn(temperature: float, count: int = 20_000, classes: int = 10) -> tuple[np.ndarray, np.ndarray]:
    """Logits whose probabilities are right once they are divided by `temperature`, and labels drawn from these."""
    random = np.random.default_rng(0)
    right = random.normal(0, 2, (count, classes))
    probabilities = np.exp(log_softmax(right, axis=1))
    labels = (probabilities.cumsum(axis=1) > random.random((count, 1))).argmax(axis=1)
    return right * temperature, labels


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.5])
def test_the_temperature_that_was_there_is_found(temperature):
    assert fit_temperature(*drawn(temperature)) == pytest.approx(temperature, rel=0.03)


def test_frames_without_a_wrong_answer_do_not_make_it_sure():
    """The likeliest temperature would be 0: probabilities of 1, which nobody has seen reason for."""
    logits, labels = np.eye(3)[[0, 1, 2] * 40] * 4.0, np.array([0, 1, 2] * 40)
    temperature = fit_temperature(logits, labels)
    surest = torch.softmax(torch.from_numpy(logits[0] / temperature), 0).max()
    assert surest == pytest.approx(121 / 122, abs=1e-3)  # (N + 1) / (N + 2) of N = 120 frames


def test_it_stays_within_its_bounds():
    logits, labels = drawn(1.0, 300)
    assert LOWEST <= fit_temperature(logits * 1e-4, labels) <= HIGHEST
    assert LOWEST <= fit_temperature(logits * 1e4, labels) <= HIGHEST


def logits(checkpoint: Checkpoint, frames: torch.Tensor) -> torch.Tensor:
    with torch.inference_mode():
        return FrameNetwork(checkpoint.build(), checkpoint.preprocessing).eval()(frames)[
            :, : len(checkpoint.class_names)
        ]


def test_a_training_ends_with_a_temperature_that_every_form_has(calibrated, tmp_path):
    known = load_checkpoint(calibrated.best)
    assert known.temperature is not None
    assert known.temperature != 1
    frames = torch.from_numpy(np.stack([np.asarray(draw_frame(0, number, (32, 32))) for number in range(4)]))
    raw = logits(replace(known, temperature=None), frames)
    assert torch.allclose(logits(known, frames), raw / known.temperature, rtol=1e-5, atol=1e-5)
    expected = torch.softmax(raw / known.temperature, 1).numpy()
    task = task_of(known.network)
    judged = gate_frames(task, read_dataset(calibrated.dataset).val, 20, known.preprocessing, 2)
    conversion = convert(known, tmp_path, judged, formats=["pt", "onnx"])
    for path in [calibrated.best, *conversion.files]:
        assert np.abs(load_runner(path, "cpu")(frames.numpy()) - expected).max() < 1e-5, path


def test_another_temperature_is_another_network(calibrated):
    """Batch prediction takes the OpenVINO file of the same conversion by this hash."""
    known = load_checkpoint(calibrated.best)
    assert known.weights_sha256() != replace(known, temperature=None).weights_sha256()


def test_the_temperature_survives_a_resume_and_comes_after_a_kill(calibrated, tmp_path, capsys):
    best, written = calibrated.best, calibrated.best.read_bytes()
    dataset, config = read_dataset(calibrated.dataset), tiny_config(min_steps=20)
    fit(config, dataset, calibrated.out, resume=True)
    assert best.read_bytes() == written
    # As a kill between the last epoch and the calibration leaves it.
    save_checkpoint(best, replace(load_checkpoint(best), temperature=None, known=None))
    assert best.read_bytes() != written
    fit(config, dataset, calibrated.out, resume=True)
    assert best.read_bytes() == written
    assert re.search(r"temperature \d\.\d{3}: the expected calibration error changes from", capsys.readouterr().out)


def test_a_tiny_validation_list_leaves_the_probabilities_alone_and_says_so(trained, tmp_path, capsys):
    out = shutil.copytree(trained.out, tmp_path / "out")
    best = out / trained.best.relative_to(trained.out)
    assert load_checkpoint(best).temperature == 1.0
    save_checkpoint(best, replace(load_checkpoint(best), temperature=None, known=None))
    fit(tiny_config(min_steps=30, lr=0.005), read_dataset(trained.dataset), out, resume=True)
    assert "the probabilities are not calibrated: 12 validation frames, 100 needed" in capsys.readouterr().out
    assert load_checkpoint(best).temperature == 1.0


def test_half_of_every_class_is_in_a_stream_whatever_the_order_of_the_list():
    """The classes of this list alternate: every other frame of it would be one class."""

    class OneColour:
        def __len__(self) -> int:
            return 400

        def read(self, row: int) -> np.ndarray:
            return np.full((32, 32, 3), 200 + row % 2, np.uint8)

    seen = []

    def outputs(frames: np.ndarray) -> np.ndarray:
        seen.append(frames)
        return np.zeros((len(frames), 2), np.float32)

    labels = np.arange(400) % 2
    frames = FileList(Path("list"), ["none"] * 400, labels, "")
    calibrate(outputs, frames, Preprocessing(32, 32), 64, 1, 0, OneColour())
    plain = np.concatenate([batch.reshape(len(batch), -1) for batch in seen])
    whole = plain[(plain == plain[:, :1]).all(1), 0]
    assert len(whole) == 200
    assert 80 < (whole == 200).sum() < 120

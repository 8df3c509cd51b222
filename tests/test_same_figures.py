"""Validation in training, main_predict.py and predict_repvgg.py give the same figures on the same list."""

import json
import re

from conftest import make_dataset, tiny_config

from game_classifier.lists.dataset import read_dataset
from game_classifier.models.checkpoint import load_checkpoint
from game_classifier.training.fit import fit


def figures(output: str) -> list[str]:
    """The cells of the last summary table printed."""
    lines = output.splitlines()
    header = max(number for number, line in enumerate(lines) if "Top-1 Acc" in line)
    return re.findall(r"[\d.]+", lines[header + 2])


def test_training_main_predict_and_predict_repvgg_agree(tmp_path, run):
    data = make_dataset(tmp_path / "data", val=8)
    # An unreadable frame and wrong labels: figures away from 100%, and a row that all must leave out.
    (data / "val" / "green" / "101.jpg").write_bytes(b"broken")
    lines = (data / "val.txt").read_text(encoding="utf-8").splitlines()
    lines = [line[:-1] + str((int(line[-1]) + (number % 3 == 0)) % 3) for number, line in enumerate(lines)]
    (data / "val.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")

    fit(tiny_config(min_steps=30, lr=0.005, batch_size=5), read_dataset(data), tmp_path / "out", resume=False)
    last = load_checkpoint(tmp_path / "out" / "model" / "repvgg_tiny_best.pth")
    names = ("top1", "top5", "mean_precision", "mean_recall", "mean_f1")
    trained = [f"{100 * last.metrics[name]:.2f}" for name in names]
    assert 20 < float(trained[0]) < 99
    record = json.loads((tmp_path / "out" / "metrics.jsonl").read_text().splitlines()[last.epoch - 1])
    assert record["val_unread"] == 1

    weights = tmp_path / "out" / "model" / "repvgg_tiny_best.pth"
    converted = run("src/main_convert.py", "-w", weights, "-o", tmp_path / "pt", "--formats", "pt")
    assert converted.status == 0
    deploy = tmp_path / "pt" / "repvgg_tiny_cpp_deploy.pt"
    for file in (weights, deploy):
        validated = run("src/main_predict.py", "-w", file, "-i", data / "val.txt", "--batch-size", 7)
        assert validated.status == 0
        assert figures(validated.out) == trained, file
        save = tmp_path / f"npy{file.suffix}"
        predicted = run("src/predict_repvgg.py", "-w", file, "--input", data / "val.txt", "--save", save)
        assert figures(predicted.out) == trained, file
        assert "1 of 24 files could not be read (not_an_image 1)" in predicted.out
        again = run("src/predict_repvgg.py", "--summarize", save)
        assert figures(again.out) == trained, file

"""Pictures of a training."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from game_classifier.storage import replacing


def plot_curves(path: Path, epochs: Sequence[Mapping[str, float]]) -> None:
    """Draw loss, and validation top-1, top-5 and mean F1, over the epochs of metrics.jsonl."""
    numbers = [epoch["epoch"] for epoch in epochs]
    figure = Figure(figsize=(10, 4), layout="constrained")
    loss, accuracy = figure.subplots(1, 2)
    loss.plot(numbers, [epoch["train_loss"] for epoch in epochs], marker="o")
    loss.set(title="Training loss", xlabel="epoch")
    for name, label in (("top1", "top-1"), ("top5", "top-5"), ("mean_f1", "mean F1")):
        accuracy.plot(numbers, [100 * epoch[name] for epoch in epochs], marker="o", label=label)
    accuracy.set(title="Validation", xlabel="epoch", ylabel="%")
    accuracy.legend(loc="lower right")
    for axes in (loss, accuracy):
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.grid(alpha=0.3)
    with replacing(path) as temporary:
        figure.savefig(temporary, format="png", dpi=120)

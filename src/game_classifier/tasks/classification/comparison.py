"""The gate's comparison for classifiers: probabilities, most likely classes, top-1."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from game_classifier.config import GateConfig
from game_classifier.console import percent
from game_classifier.models.checkpoint import Checkpoint
from game_classifier.tasks.chance import chance


@dataclass(frozen=True)
class ProbabilityComparison:
    """See tasks/task.py, `Comparison`."""

    threshold: float | None = None  # of `known`, the last column of the answers; None: they have no such column

    def of_checkpoint(self, checkpoint: Checkpoint) -> "ProbabilityComparison":
        """The comparison of answers that have `known` too, if its network gives it."""
        return replace(self, threshold=checkpoint.refusals.threshold() if checkpoint.refusals else None)

    def collect(self, batches: Iterable[np.ndarray], targets: np.ndarray) -> np.ndarray:
        """All answers, [N, C] or [N, C + 1]."""
        return np.concatenate(list(batches))

    def on_network(self, answers: np.ndarray, height: int, width: int) -> np.ndarray:
        """The same: probabilities have no places."""
        return answers

    def figures(self, answers: np.ndarray, expected: np.ndarray, targets: np.ndarray) -> dict[str, float | None]:
        """Differences of probabilities, the share of frames with the same likeliest class, top-1.

        With `known`, also its largest difference and the share of frames with the same decision to refuse.
        """
        beside_known = {}
        if self.threshold is not None:
            ours, theirs = answers[:, -1], expected[:, -1]
            answers, expected = answers[:, :-1], expected[:, :-1]
            beside_known = {
                "known_difference": float(np.abs(ours.astype(np.float64) - theirs).max()),
                "decisions": float(((ours < self.threshold) == (theirs < self.threshold)).mean()),
            }
        differences = np.abs(answers.astype(np.float64) - expected)
        labelled = targets >= 0
        hits = answers[labelled].argmax(axis=1) == targets[labelled]
        return {
            "difference_max": float(differences.max()),
            "difference_mean": float(differences.mean()),
            "agreement": float((answers.argmax(axis=1) == expected.argmax(axis=1)).mean()),
            "top1": float(hits.mean()) if len(hits) else None,
            **beside_known,
        }

    def complaint(
        self,
        figures: Mapping[str, Any],
        trained: Mapping[str, Any],
        precision: str,
        limits: GateConfig,
        targets: np.ndarray,
    ) -> str:
        """In fp32 a probability may differ a little; in bf16 and INT8 a few frames may."""
        # Each comparison is written so that NaN misses it.
        if precision == "fp32":
            differences = {"a probability": "difference_max", "`known`": "known_difference"}
            for what, name in differences.items():
                if not figures.get(name, 0) <= limits.fp32_difference:
                    return (
                        f"{what} differs by {figures[name]:.1e}, more than gate.fp32_difference"
                        f" {limits.fp32_difference:.0e}"
                    )
            return ""
        sames = {
            "likeliest class": ("agreement", "difference_max"),
            "decision to refuse": ("decisions", "known_difference"),
        }
        for what, (name, difference) in sames.items():
            least, share = getattr(limits, f"{precision}_{name}"), figures.get(name, 1)
            differing = round((1 - share) * len(targets))
            # A single frame of a small set is chance.
            if not (differing <= max((1 - least) * len(targets), 1) and np.isfinite(figures.get(difference, 0))):
                return (
                    f"the {what} is the same on {100 * share:.2f}% of the frames, less than"
                    f" gate.{precision}_{name} {least}"
                )
        labelled = int((targets >= 0).sum())
        if labelled and not (trained["top1"] - figures["top1"]) * labelled <= max(limits.top1_drop * labelled, 1):
            return (
                f"top-1 falls from {100 * trained['top1']:.2f}% to {100 * figures['top1']:.2f}%, by more than"
                f" gate.top1_drop {limits.top1_drop}"
            )
        return ""

    def complaint_beside_record(self, figures: Mapping[str, Any], recorded: float, targets: np.ndarray) -> str:
        """Four standard deviations of so small a sample are chance.

        A network that is further off has another preprocessing, another class order or other weights than the one
        that was validated.
        """
        labelled = int((targets >= 0).sum())
        if not labelled or figures["top1"] >= recorded - chance(recorded, labelled):
            return ""
        return (
            f"top-1 on {labelled} frames is {100 * figures['top1']:.2f}%, but its checkpoint records"
            f" {100 * recorded:.2f}% on its validation list"
        )

    def cells(self, figures: Mapping[str, Any]) -> dict[str, str]:
        """Differences in powers of ten, shares in percent."""
        decisions = {"Same Decision": percent(figures["decisions"])} if "decisions" in figures else {}
        return {
            "Largest Difference": f"{figures['difference_max']:.1e}",
            "Mean Difference": f"{figures['difference_mean']:.1e}",
            "Agreement": percent(figures["agreement"]),
            "Top-1": "" if figures["top1"] is None else percent(figures["top1"]),
            **decisions,
        }

    def golden(self, answers: np.ndarray, class_names: Sequence[str]) -> dict[str, Any]:
        """The likeliest class, all probabilities, and `known`, None where the network does not give it."""
        probabilities = answers[0] if self.threshold is None else answers[0, :-1]
        return {
            "class": class_names[int(np.argmax(probabilities))],
            "probabilities": [float(value) for value in probabilities],
            "known": None if self.threshold is None else float(answers[0, -1]),
        }

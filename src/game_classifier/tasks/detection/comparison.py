"""The gate's comparison for detectors: scores, boxes, average precision."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from game_classifier.config import GateConfig
from game_classifier.console import percent
from game_classifier.frames.decode import Preprocessing
from game_classifier.lists.box_list import FrameBoxes
from game_classifier.lists.filelist import FileList
from game_classifier.models.checkpoint import Checkpoint
from game_classifier.tasks.chance import chance
from game_classifier.tasks.detection.geometry import pictures
from game_classifier.tasks.detection.nms import MOST, OVERLAP, SCORE, select_boxes
from game_classifier.tasks.detection.scores import BoxScores

# A box counts where a score reaches this. Hardly any box of a lower score is ever shown; and nobody trained the sides
# that a network gives to background, which may be large, and are off by more in bf16 and INT8.
SEEN = 0.01
MOST_VALUES = 2**26  # of boxes and scores that are kept of a form, 256 MB: with 80 classes and 640 pixels, 31 frames
NO_FILES = FileList(Path(), [], np.zeros(0, np.int32), "")  # whose pictures would be drawn

Answers = tuple[np.ndarray, np.ndarray]  # boxes float32 [n, M, 4] and scores float32 [n, M, C]


@dataclass(frozen=True)
class BoxAnswers:
    """What is kept of a form's answers."""

    boxes: np.ndarray  # float32 [k, M, 4], of the frames whose answers are compared
    scores: np.ndarray  # float32 [k, M, C]
    ap: float | None  # over all frames; None if none of them has a box


@dataclass(frozen=True)
class BoxComparison:
    """See tasks/task.py, `Comparison`."""

    preprocessing: Preprocessing | None = None  # of the network
    class_names: tuple[str, ...] = ()

    def of_checkpoint(self, checkpoint: Checkpoint) -> "BoxComparison":
        """The comparison that maps boxes between the network's frames and the files."""
        return replace(self, preprocessing=checkpoint.preprocessing, class_names=checkpoint.class_names)

    def collect(self, batches: Iterable[Answers], targets: FrameBoxes) -> BoxAnswers:
        """Score all answers, and keep those of as many frames, evenly spaced, as MOST_VALUES allows."""
        scored = BoxScores(self.class_names, NO_FILES, self.preprocessing)
        kept: list[Answers] = []
        start = 0
        for boxes, scores in batches:
            step = -(-len(targets) * (boxes[0].size + scores[0].size) // MOST_VALUES)
            rows = np.arange(start, start + len(boxes))
            start += len(boxes)
            scored.add((boxes, scores), targets[rows])
            kept.append((boxes[rows % step == 0], scores[rows % step == 0]))
        ap = scored.figures()["ap"]
        return BoxAnswers(*map(np.concatenate, zip(*kept, strict=True)), None if np.isnan(ap) else ap)

    def on_network(self, answers: Answers, height: int, width: int) -> Answers:
        """Boxes in pixels of a whole frame -> pixels of the network's frame."""
        left, top, place_width, place_height = pictures(np.array([[height, width]]), self.preprocessing)[0]
        scale = np.tile(np.array([place_width / width, place_height / height], np.float32), 2)
        boxes, scores = answers
        return boxes * scale + np.tile(np.array([left, top], np.float32), 2), scores

    def figures(self, answers: BoxAnswers, expected: BoxAnswers, targets: FrameBoxes) -> dict[str, float | None]:
        """The largest difference of a score, that of a side of a box in pixels of the network's frame, and AP."""
        seen = np.maximum(answers.scores.max(axis=2), expected.scores.max(axis=2)) >= SEEN
        boxes = np.abs(answers.boxes[seen] - expected.boxes[seen])
        return {
            "score_difference": float(np.abs(answers.scores - expected.scores).max()),
            "box_difference": float(boxes.max()) if boxes.size else 0.0,
            "ap": answers.ap,
        }

    def complaint(
        self,
        figures: Mapping[str, Any],
        trained: Mapping[str, Any],
        precision: str,
        limits: GateConfig,
        targets: FrameBoxes,
    ) -> str:
        """In fp32 scores and boxes may differ a little; in bf16 and INT8, AP may fall a little."""
        # Each comparison is written so that NaN misses it.
        score, box = figures["score_difference"], figures["box_difference"]
        if precision == "fp32":
            if not score <= limits.fp32_difference:
                return f"a score differs by {score:.1e}, more than gate.fp32_difference {limits.fp32_difference:.0e}"
            if not box <= limits.fp32_box_difference:
                return (
                    f"a box differs by {box:.2g} pixels, more than gate.fp32_box_difference"
                    f" {limits.fp32_box_difference}"
                )
            return ""
        if not (np.isfinite(score) and np.isfinite(box)):
            return "it gives scores or boxes that are not finite"
        if trained["ap"] is None:
            return "it is judged by AP, but no frame has a box; give a list or data set with boxes with -i"
        name = f"{precision}_ap_drop"
        # A single box of a small set is chance.
        if not trained["ap"] - figures["ap"] <= max(getattr(limits, name), 1 / len(targets.boxes)):
            return (
                f"AP falls from {100 * trained['ap']:.2f}% to {100 * figures['ap']:.2f}%, by more than gate.{name}"
                f" {getattr(limits, name)}"
            )
        return ""

    def complaint_beside_record(self, figures: Mapping[str, Any], recorded: float, targets: FrameBoxes) -> str:
        """Chance is that of a share of the frames."""
        if figures["ap"] is None or figures["ap"] >= recorded - chance(recorded, len(targets)):
            return ""
        return (
            f"AP on {len(targets)} frames is {100 * figures['ap']:.2f}%, but its checkpoint records"
            f" {100 * recorded:.2f}% on its validation list"
        )

    def cells(self, figures: Mapping[str, Any]) -> dict[str, str]:
        """Differences, AP in percent."""
        return {
            "Largest Score Difference": f"{figures['score_difference']:.1e}",
            "Largest Box Difference": f"{figures['box_difference']:.3f} px",
            "AP": "" if figures["ap"] is None else percent(figures["ap"]),
        }

    def golden(self, answers: Answers, class_names: Sequence[str]) -> dict[str, Any]:
        """The boxes after non-maximum suppression, best first, with the thresholds."""
        boxes, scores = (torch.from_numpy(each[0]) for each in answers)
        found = [
            {"class": class_names[label], "score": score, "box": box}
            for box, score, label in zip(*(each.tolist() for each in select_boxes(boxes, scores)), strict=True)
        ]
        return {"least_score": SCORE, "overlap": OVERLAP, "most": MOST, "boxes": found}

"""From all boxes of a network to those of objects: non-maximum suppression for each class."""

from torch import Tensor
from torchvision.ops import batched_nms

# As COCO is scored: nearly everything is kept, since the precision over all recalls is measured.
SCORE, OVERLAP, MOST = 0.001, 0.6, 300
CANDIDATES = 3000  # the best scores are looked at: with fresh weights, there are a hundred thousand


def select_boxes(
    boxes: Tensor, scores: Tensor, least_score: float = SCORE, overlap: float = OVERLAP, most: int = MOST
) -> tuple[Tensor, Tensor, Tensor]:
    """(boxes [k, 4], scores [k], classes int64 [k]), best first, of one frame's boxes [M, 4] and scores [M, C].

    A box may be kept for several classes. Of two boxes of a class with an IoU above `overlap`, the better one stays.
    """
    hopeful = (scores.amax(1) > least_score).nonzero()[:, 0]  # few: looking at all classes of those alone is faster
    box, label = (scores[hopeful] > least_score).nonzero(as_tuple=True)
    box = hopeful[box]
    score = scores[box, label]
    if len(score) > CANDIDATES:
        score, best = score.topk(CANDIDATES)
        box, label = box[best], label[best]
    kept = batched_nms(boxes[box], score, label, overlap)[:most]
    return boxes[box[kept]], score[kept], label[kept]

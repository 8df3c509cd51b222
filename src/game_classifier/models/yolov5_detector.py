"""The detectors of the YOLOv5 family: v6.0 from n to x, RepYOLOv5s and v5Lite-g.

Written from the layers' descriptions (YOLOv5 v6.0's model table; pogg's "Yolov5-Lite" articles); there is no paper.
"""

from game_classifier.models.anchor_head import AnchorHead
from game_classifier.models.conv_norm import set_batch_norms
from game_classifier.models.detector import Detector
from game_classifier.models.pafpn import PAFPN, c3_of
from game_classifier.models.repyolo import LAST, STAGES, rep_block, repyolo_trunk
from game_classifier.models.rewrites import SPPF
from game_classifier.models.yolov5 import BATCH_NORM, scaled_depth, scaled_widths, yolov5_trunk

NECK_BLOCKS = 3  # bottlenecks in each C3 of the neck, at depth multiple 1
LITE_WIDTH = 128  # of the whole neck of v5Lite-g


def yolov5_detector(num_classes: int, depth: float, width: float) -> Detector:
    """YOLOv5 v6.0: the trunk of the classifier, SPPF, PAFPN and anchors at strides 8, 16 and 32.

    Multiples of depth and width are those of the classifier, models/yolov5.py.
    """
    widths = tuple(scaled_widths(width)[-3:])
    neck = PAFPN(widths, widths, c3_of(scaled_depth(NECK_BLOCKS, depth)))
    pool = SPPF(widths[-1], widths[-1])
    return _with_norms(Detector(yolov5_trunk(depth, width), neck, AnchorHead(widths, num_classes), pool))


def repyolov5s_detector(num_classes: int) -> Detector:
    """YOLOv5s of v5.0 whose six downsampling convolutions, in trunk and neck, are RepVGG blocks."""
    widths = _trunk_widths()
    neck = PAFPN(widths, widths, c3_of(1), rep_block)
    return _with_norms(Detector(repyolo_trunk(), neck, AnchorHead(widths, num_classes)))


def v5lite_g_detector(num_classes: int) -> Detector:
    """The trunk of RepYOLOv5s with a neck that is 128 wide and deeper, without RepVGG blocks."""
    widths = (LITE_WIDTH,) * 3
    neck = PAFPN(_trunk_widths(), widths, c3_of(NECK_BLOCKS))
    return _with_norms(Detector(repyolo_trunk(), neck, AnchorHead(widths, num_classes)))


def _trunk_widths() -> tuple[int, int, int]:
    return STAGES[-2][0], STAGES[-1][0], LAST


def _with_norms(detector: Detector) -> Detector:
    set_batch_norms(detector, **BATCH_NORM)
    return detector


def yolov5_layers() -> dict[int, str]:
    """Number of a layer in YOLOv5's own files -> the module here; the numbers between them have no weights."""
    layers = {0: "trunk.stem", 9: "pool", 10: "neck.reduce5", 13: "neck.merge4", 14: "neck.reduce4", 17: "neck.out3"}
    layers |= {18: "neck.down3", 20: "neck.out4", 21: "neck.down4", 23: "neck.out5", 24: "head"}
    for stage in range(4):
        layers |= {2 * stage + 1: f"trunk.stages.{stage}.downsample", 2 * stage + 2: f"trunk.stages.{stage}.c3"}
    return layers

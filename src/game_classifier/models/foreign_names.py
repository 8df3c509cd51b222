"""The names that other projects give to the weights of a network, and how they become ours."""

import re
from collections.abc import Callable

from game_classifier.models.yolov5_detector import yolov5_layers

Rule = tuple[str, str | Callable[[re.Match[str]], str]]  # a pattern and what replaces it


LAYERS = yolov5_layers()
C3_NAMES = {"cv1": "through", "cv2": "around", "cv3": "merge"}


def _stage(match: re.Match[str]) -> str:
    return f"stages.{int(match[1]) - 1}."  # timm counts the stages from 0, the others from 1


def _yolov5_layer(match: re.Match[str]) -> str:
    return f"{LAYERS.get(int(match[1]), f'model.{match[1]}')}."


def _yolov5_convolution(match: re.Match[str]) -> str:
    """A convolution of a C3 around its bottlenecks, or of SPPF, the layer 9."""
    names = {"cv1": "reduce", "cv2": "merge"} if match[1] == "9" else C3_NAMES
    return f"{_yolov5_layer(match)}{names.get(match[2], match[2])}."


# A rule matches whole words between dots only, so that no rule undoes another and their order does not matter.
DINGXIAOH = (
    (r"^stage0\.", "stem."),
    (r"^stage([1-9])\.", _stage),
    (r"\.rbr_dense\.", ".conv_kxk."),
    (r"\.rbr_1x1\.", ".conv_1x1."),
    (r"\.rbr_identity\.", ".identity."),
    (r"\.se\.down\.", ".attn.fc1."),
    (r"\.se\.up\.", ".attn.fc2."),
    (r"^linear\.", "head.fc."),
)
MMPRETRAIN = (
    (r"^backbone\.stem\.", "stem."),
    (r"^backbone\.stage_([1-9])\.", _stage),
    (r"\.branch_3x3\.", ".conv_kxk."),
    (r"\.branch_1x1\.", ".conv_1x1."),
    (r"\.branch_norm\.", ".identity."),
    (r"\.norm\.", ".bn."),
    (r"\.se_layer\.conv1\.conv\.", ".attn.fc1."),
    (r"\.se_layer\.conv2\.conv\.", ".attn.fc2."),
)
YOLOV5 = (
    (r"^model\.24\.m\.", "head.outputs."),
    (r"^model\.(\d+)\.(cv[123])\.", _yolov5_convolution),
    (r"^model\.(\d+)\.", _yolov5_layer),
    (r"\.m\.(\d+)\.cv([12])\.", r".blocks.\1.conv\2."),  # a bottleneck of a C3
)
# A mark that only that source has: every block of a RepVGG has its 3x3 convolution.
SOURCES = (
    (".rbr_dense.", "DingXiaoH/RepVGG", DINGXIAOH),
    (".branch_3x3.", "mmpretrain / Awesome-Backbones", MMPRETRAIN),
    ("model.24.m.", "YOLOv5", YOLOV5),
)

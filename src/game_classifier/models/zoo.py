"""Building a network by its name: those listed here, and everything else of timm."""

import difflib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import timm
import torch
from torch import Tensor, nn

from game_classifier.errors import InputError
from game_classifier.models import esnet
from game_classifier.models.picodet import picodet
from game_classifier.models.picodet_lite import picodet_lite
from game_classifier.models.repvgg import repvgg
from game_classifier.models.repyolo import RepYOLOv5s
from game_classifier.models.squeezenet import squeezenet
from game_classifier.models.yolov5 import YOLOv5
from game_classifier.models.yolov5_detector import repyolov5s_detector, v5lite_g_detector, yolov5_detector

TIMM = "timm"
CLASSIFICATION = "classification"
DETECTION = "detection"


@dataclass(frozen=True)
class Architecture:
    """A network that the zoo lists; a new one is an entry of `NETWORKS`."""

    build: Callable[[int], nn.Module]  # number of classes -> training form with fresh weights
    source: str  # where its layers and widths are from
    library: str = "this tool"  # whose names its weights have
    classifier: str | tuple[str, ...] = "head.fc"  # the modules whose rows are classes
    input_size: int = 224  # side of the frames, in pixels, that its published figures are for
    num_classes: int = 1000  # that its published figures are for
    task: str = CLASSIFICATION  # the name of a task of tasks/choose.py
    trunk: str = ""  # of a detector: the classifier that has the same trunk
    recipe: str = "default.json"  # the file of config/ that main_train.py reads for it


def _repvgg(name: str, source: str = "Ding et al. 2021, table 4 (timm)", input_size: int = 224) -> Architecture:
    return Architecture(lambda num_classes: repvgg(name, num_classes), source, TIMM, input_size=input_size)


def _squeezenet(name: str, source: str) -> Architecture:
    return Architecture(partial(squeezenet, name), source, "torchvision", "classifier.1")


def _yolov5(depth: float, width: float) -> Architecture:
    return Architecture(partial(YOLOv5, depth=depth, width=width), "YOLOv5 v6.0 trunk, v6.2 classifier")


def _esnet(widths: esnet.Widths, source: str = "PP-PicoDet, Yu et al. 2021") -> Architecture:
    return Architecture(partial(esnet.ESNet, widths=widths), source)


def _detector(
    build: Callable[[int], nn.Module], source: str, trunk: str, levels: int = 3, recipe: str = "detector.json"
) -> Architecture:
    outputs = tuple(f"head.outputs.{level}" for level in range(levels))
    return Architecture(build, source, "this tool", outputs, 640, 80, DETECTION, trunk, recipe)


def _yolov5_detector(size: str, depth: float, width: float) -> Architecture:
    return _detector(partial(yolov5_detector, depth=depth, width=width), "YOLOv5 v6.0", f"yolov5{size}")


def _picodet_lite(depth: float, width: float, add: bool = False) -> Architecture:
    return _detector(partial(picodet_lite, depth=depth, width=width, add=add), "YOLOv5-Lite, PicoDet", "", 4)


def _picodet(size: str, widths: esnet.Widths, neck: int, head_blocks: int) -> Architecture:
    build = partial(picodet, widths=widths, neck_width=neck, head_blocks=head_blocks)
    return _detector(build, "PP-PicoDet, Yu et al. 2021", f"esnet_{size}", 4, "picodet.json")


NETWORKS: dict[str, Architecture] = {
    "repvgg_tiny": _repvgg("repvgg_tiny", "this tool: for tests and first tries"),
    "repvgg_t0": _repvgg("repvgg_t0", "this tool: narrow, for speed", input_size=128),
    "repvgg_t1": _repvgg("repvgg_t1", "this tool: narrow, for speed", input_size=128),
    "repvgg_a0": _repvgg("repvgg_a0"),
    "repvgg_a1": _repvgg("repvgg_a1"),
    "repvgg_a2": _repvgg("repvgg_a2"),
    "repvgg_b0": _repvgg("repvgg_b0"),
    "repvgg_b1": _repvgg("repvgg_b1"),
    "repvgg_b1g2": _repvgg("repvgg_b1g2", "Ding et al. 2021, table 4"),
    "repvgg_b1g4": _repvgg("repvgg_b1g4"),
    "repvgg_b2": _repvgg("repvgg_b2"),
    "repvgg_b2g4": _repvgg("repvgg_b2g4"),
    "repvgg_b3": _repvgg("repvgg_b3"),
    "repvgg_b3g4": _repvgg("repvgg_b3g4"),
    "repvgg_d2se": _repvgg("repvgg_d2se", "RepVGG's repository (timm)", input_size=320),
    "squeezenet1_0": _squeezenet("squeezenet1_0", "Iandola et al. 2016 (torchvision)"),
    "squeezenet1_1": _squeezenet("squeezenet1_1", "SqueezeNet's repository (torchvision)"),
    "yolov5n": _yolov5(0.33, 0.25),
    "yolov5s": _yolov5(0.33, 0.50),
    "yolov5m": _yolov5(0.67, 0.75),
    "yolov5l": _yolov5(1.0, 1.0),
    "yolov5x": _yolov5(1.33, 1.25),
    "repyolov5s": Architecture(RepYOLOv5s, "YOLOv5-Lite, layers 0-9"),
    "esnet_s": _esnet(esnet.ESNET_S),
    "esnet_m": _esnet(esnet.ESNET_M),
    "esnet_l": _esnet(esnet.ESNET_L),
    "esnet_x1_0": _esnet(esnet.ESNET_X1_0, "PaddleClas, ESNet x1.0"),
    "yolov5n_detector": _yolov5_detector("n", 0.33, 0.25),
    "yolov5s_detector": _yolov5_detector("s", 0.33, 0.50),
    "yolov5m_detector": _yolov5_detector("m", 0.67, 0.75),
    "yolov5l_detector": _yolov5_detector("l", 1.0, 1.0),
    "yolov5x_detector": _yolov5_detector("x", 1.33, 1.25),
    "repyolov5s_detector": _detector(repyolov5s_detector, "YOLOv5-Lite, RepYOLOv5s", "repyolov5s"),
    "v5lite_g_detector": _detector(v5lite_g_detector, "YOLOv5-Lite, v5Lite-g", "repyolov5s"),
    "picodet_s": _picodet("s", esnet.ESNET_S, 96, 2),
    "picodet_m": _picodet("m", esnet.ESNET_M, 128, 4),
    "picodet_l": _picodet("l", esnet.ESNET_L, 160, 4),
    "picodet_lite_s": _picodet_lite(0.67, 0.50, add=True),
    "picodet_lite_m": _picodet_lite(0.67, 0.75),
    "picodet_lite_l": _picodet_lite(0.67, 1.0),
    "picodet_lite_x": _picodet_lite(1.0, 1.0),
}


def network_names() -> list[str]:
    """Every name that `build_model` knows, sorted."""
    return sorted({*timm.list_models(), *NETWORKS})


def require_known(name: str) -> None:
    """Raise InputError, with the nearest names, unless `build_model` knows `name`."""
    names = network_names()
    if name in names:
        return
    near = ", ".join(difflib.get_close_matches(name, names, n=3)) or "repvgg_a0, squeezenet1_1"
    raise InputError(
        f"network {name!r} is not known; try {near}, or another name from src/main_train.py --list-networks or"
        " timm.list_models()"
    )


def build_model(name: str, num_classes: int) -> nn.Module:
    """Return the network in its training form with fresh weights: float [N, 3, H, W] -> logits [N, num_classes].

    A detector gives the outputs of its head instead, a list of tensors (models/detector.py). Like all of timm's
    networks, its `default_cfg["classifier"]` names the modules whose rows are classes.
    """
    require_known(name)
    if name not in NETWORKS:
        return timm.create_model(name, num_classes=num_classes)
    network = NETWORKS[name].build(num_classes)
    if not hasattr(network, "default_cfg"):
        network.default_cfg = {"classifier": NETWORKS[name].classifier}
    return network


def require_frame_sizes(network: nn.Module, name: str, sizes: Iterable[tuple[int, int]]) -> None:
    """Raise InputError unless the network takes frames of each (height, width).

    Many of timm's networks, such as its vision transformers, take one size only. Trying is the one way to know:
    `fixed_input_size` of their configurations is also set for networks that take others.
    """
    if name in NETWORKS:
        return
    device = next(network.parameters()).device
    network.eval()
    for size in sorted(set(sizes)):
        try:
            with torch.no_grad():
                network(torch.zeros(1, 3, *size, device=device))
        except (AssertionError, RuntimeError, ValueError) as error:
            _, height, width = network.default_cfg["input_size"]
            own = height if height == width else f"[{height},{width}]"
            raise InputError(
                f"{name} takes no frames of {size[0]}x{size[1]} ({next(iter(str(error).splitlines()), '')[:120]});"
                f" give its own size with --set image_size={own} --set train_sizes=[1.0]"
            ) from None


def classifier_names(network: nn.Module) -> list[str]:
    """The modules whose rows are classes; timm's distilled networks have several, its encoders none."""
    names = network.default_cfg["classifier"]
    return [names] if isinstance(names, str) else list(names or ())


def head_keys(network: nn.Module, state: Mapping[str, Tensor]) -> list[str]:
    """Keys of the weights and biases whose rows are classes."""
    names = classifier_names(network)
    return [key for name in names for key in (f"{name}.weight", f"{name}.bias") if key in state]


def library_of(name: str) -> str:
    """The library whose names the network's weights have."""
    return NETWORKS[name].library if name in NETWORKS else TIMM


def task_name(name: str) -> str:
    """The name of the task that the network is made for."""
    return NETWORKS[name].task if name in NETWORKS else CLASSIFICATION


def require_classifier(path: Path, name: str) -> None:
    """Raise InputError unless the network of the file `path` is a classifier."""
    if task_name(name) != CLASSIFICATION:
        raise InputError(f"{path}: its network {name} is not a classifier; give the file of a classifier")


def require_detector(path: Path, name: str) -> None:
    """Raise InputError unless the network of the file `path` is a detector."""
    if task_name(name) != DETECTION:
        raise InputError(f"{path}: its network {name} is not a detector; give the file of a detector")


def trunk_of(name: str) -> str:
    """The classifier whose trunk the detector has; "" for any other network."""
    return NETWORKS[name].trunk if name in NETWORKS else ""


def recipe_name(name: str) -> str:
    """The file of config/ that the network is trained with unless another one is given."""
    return NETWORKS[name].recipe if name in NETWORKS else Architecture.recipe


def build_pretrained(name: str, num_classes: int) -> nn.Module:
    """Return the network with the weights of timm's hub and a fresh head; needs a network connection.

    Raises InputError if there are none for `name`, or if they cannot be downloaded.
    """
    network = build_model(name, num_classes)
    try:
        source = timm.create_model(name, pretrained=True, num_classes=num_classes)
    except Exception as error:  # the hub client raises many types for a missing connection
        raise InputError(
            f"pretrained 'hub': cannot get weights of {name!r} ({next(iter(str(error).splitlines()), '')[:120]});"
            " download them in another way and give the file with weights_path"
        ) from None
    network.load_state_dict(source.state_dict())
    return network


def parameter_count(network: nn.Module) -> int:
    """Number of trainable values."""
    return sum(parameter.numel() for parameter in network.parameters())


def has_norm(network: nn.Module) -> bool:
    """Whether the network normalises its features, with BatchNorm, LayerNorm or another layer."""
    return any("norm" in type(module).__name__.lower() for module in network.modules())

"""The recipe of a training: a JSON file, checked as a whole before anything runs."""

import json
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError, model_validator

from game_classifier.config_parts import (
    AugmentConfig,
    Channels,
    Count,
    DetectionConfig,
    DistillConfig,
    GateConfig,
    ImageSize,
    Natural,
    Share,
    Strict,
)
from game_classifier.errors import InputError
from game_classifier.frames.augment import Augmentation
from game_classifier.frames.decode import IMAGENET_MEAN, IMAGENET_STD, Preprocessing

VIEWS_PER_CLASS = 480  # docs/recipes.md has the lengths that were tried
LENGTHS = ("epochs", "views_per_class")


class Config(Strict):
    """Every key of a recipe. scripts/write_configuration.py makes docs/configuration.md from it."""

    network: str = Field(
        "repvgg_a0",
        description="`python src/main_train.py --list-networks` prints the networks. Any other name of"
        " `timm.list_models()` works too. `-n` overrides this key.",
    )
    image_size: ImageSize = Field(
        128,
        description="Side of the network's input in pixels, or `[height, width]`. Use 224 for pretrained weights and"
        " for small details.",
    )
    resize: Literal["squash", "letterbox", "center_crop"] = Field(
        "squash",
        description="`squash` scales each side to the input's size. `letterbox` keeps the shape and pads with black."
        " `center_crop` keeps the shape and cuts off the edges.",
    )
    mean: Channels = Field(
        IMAGENET_MEAN,
        description="Means of red, green and blue in the range 0 to 1; they are subtracted. The default is ImageNet's.",
    )
    std: Channels = Field(
        IMAGENET_STD,
        description="Standard deviations in the same range, each above 0; the colours are divided by them.",
    )
    weights_path: str = Field(
        "",
        description="Start weights: a file, or a folder with one file for the network; see [training.md](training.md)."
        " Empty: fresh weights.",
    )
    pretrained: Literal["none", "hub"] = Field(
        "none", description="`hub` downloads timm's weights as start weights. Do not set `weights_path` too."
    )
    teacher: str = Field(
        "",
        description="A checkpoint of this tool with the same classes, whose answers the network learns too, such as a"
        " RepVGG-A0 for a `repvgg_t0`. It sees the same augmented frames, at its own size. Empty: no teacher.",
    )
    distill: DistillConfig = Field(DistillConfig(), description="How much the network learns from `teacher`.")
    train_sizes: list[Annotated[float, Field(gt=0, le=1)]] = Field(
        [0.5, 0.75, 1.0, 1.0],
        description="Sizes of the training frames, as shares of `image_size`; at least one. Each share gets an equal"
        " part of the steps. Small frames first save time. The shares must not fall, and the last must be 1.",
    )
    epochs: Count | None = Field(
        None, description="Length of the training in passes over the training list, instead of `views_per_class`."
    )
    views_per_class: Count | None = Field(
        default_factory=lambda known: None if known.get("epochs") else VIEWS_PER_CLASS,
        description="Length of the training: how many frames go through the network for each class, repeated frames"
        " counted. A data set with fewer than 32 classes is trained as long as one with 32. The length is rounded to"
        " whole epochs.",
    )
    patience: Annotated[int, Field(ge=0)] = Field(
        0, description="Training stops after this many epochs without a higher top-1. 0: never."
    )
    min_steps: Count = Field(
        40, description="Smallest number of steps in an epoch. A short list is passed over several times."
    )
    batch_size: Annotated[int, Field(ge=2)] = Field(
        64, description="Frames in a batch, of all processes together. It must be a multiple of their number."
    )
    accumulate: Count = Field(
        1, description="Batches in a step; their gradients are averaged. 4 batches of 64 make a step of 256 frames."
    )
    balance: Literal["none", "sampling", "loss"] = Field(
        "none",
        description="For classes of very different size. `sampling` draws each class equally often. `loss` gives rare"
        " classes a larger weight.",
    )
    optimizer: str = Field(
        "muon",
        description="`muon`, `sgd` (with Nesterov momentum), `adamw`, or any other name of"
        " `timm.optim.list_optimizers()`. Each needs its own `lr`: RepVGG-A0 took 0.003 with `muon`, 0.1 with `sgd`.",
    )
    lr: Annotated[float, Field(gt=0)] = Field(0.003, description="Highest learning rate, reached after the warm-up.")
    schedule: Literal["cosine", "one_cycle"] = Field(
        "cosine",
        description="In the warm-up, `cosine` rises linearly and `one_cycle` along a cosine from `lr` / 25. Both then"
        " fall to 0 along a cosine. Use `warmup` 0.3 with `one_cycle`.",
    )
    warmup: Share = Field(0.1, description="Share of all steps in which the learning rate rises.")
    momentum: Share = Field(0.9, description="Momentum of Muon and SGD.")
    weight_decay: Natural = Field(0.02, description="Weight decay. Biases and BatchNorm are not decayed.")
    clip_grad: Natural = Field(0.0, description="Largest norm of a step's gradients. 0: no limit.")
    label_smoothing: Share = Field(0.1, description="Label smoothing of the cross-entropy.")
    ema_decay: Share = Field(
        0.99,
        description="Decay of the running average of the weights. The averaged weights are validated and kept in"
        " checkpoints. 0: no averaging.",
    )
    augment: AugmentConfig = Field(
        AugmentConfig(),
        description="Random changes to the training frames. Frames are never flipped, so text stays readable.",
    )
    detection: DetectionConfig = Field(
        DetectionConfig(), description="For detectors; see [detection.md](detection.md)."
    )
    refuse: Annotated[float, Field(ge=0, le=0.5)] = Field(
        0.01,
        description="Share of frames of the known games that may be refused as unknown, 0 to 0.5; see"
        " [unknown.md](unknown.md). 0: no frame is refused unless another rate is given.",
    )
    device: str = Field("auto", description="`auto`, `cpu`, `cuda` or `cuda:1`. `auto` takes the GPU if there is one.")
    precision: Literal["auto", "fp32", "bf16", "fp16"] = Field(
        "auto",
        description="Precision of the training steps. `auto`: bf16 if the processor or GPU multiplies in it, otherwise"
        " fp16 on a GPU and fp32 on a CPU. Validation is always in fp32.",
    )
    threads: Annotated[int, Field(ge=0)] = Field(
        0, description="Threads that decode frames, in each process. 0: all processors, divided among the processes."
    )
    cache_gb: Natural = Field(
        16.0,
        description="Largest size of the decoded frames in `OUTPUT/cache`, in GiB. Frames beyond it are decoded in each"
        " epoch. 0: no cache.",
    )
    save_minutes: Natural = Field(
        5.0, description="Minutes between two writes of the last checkpoint within an epoch. 0: after each step."
    )
    seed: int = Field(0, description="Seed of the fresh weights, the order of the frames and the augmentation.")
    gate: GateConfig = Field(
        GateConfig(),
        description="Each deployed file must pass this test; see [conversion.md](conversion.md). In bf16 and INT8, one"
        " frame may differ.",
    )

    @model_validator(mode="after")
    def _agrees_with_itself(self) -> "Config":
        if not self.train_sizes:
            raise ValueError("train_sizes: needs at least one share of image_size, such as [1.0]")
        if self.train_sizes != sorted(self.train_sizes) or self.train_sizes[-1] != 1:
            raise ValueError(
                "train_sizes: the shares must not fall, and the last one must be 1, the size that is validated and"
                " deployed, such as [0.5, 1.0]"
            )
        if (self.epochs is None) == (self.views_per_class is None):
            raise ValueError("epochs and views_per_class: both are the length of the training; give one of them")
        if any(value <= 0 for value in self.std):
            raise ValueError("std: each value must be above 0")
        if self.weights_path and self.pretrained != "none":
            raise ValueError("weights_path and pretrained: give one of them")
        return self

    def preprocessing(self) -> Preprocessing:
        """What happens between a frame and the network."""
        size = self.image_size
        height, width = (size, size) if isinstance(size, int) else size
        return Preprocessing(height, width, self.resize, self.mean, self.std)

    def augmentation(self) -> Augmentation:
        """How far training frames are changed."""
        return Augmentation(**self.augment.model_dump(exclude={"calm_end", "mixup", "cutmix"}))


def read_config(path: Path, overrides: list[str]) -> Config:
    """Read a recipe and apply `key=value` overrides, such as `epochs=3` or `augment.zoom=0.3`.

    Values of overrides are JSON; what is not JSON is taken as text. Raises InputError naming every key
    that does not exist and every value of the wrong type.
    """
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; config/default.json is the recipe that comes with the tool") from None
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: not JSON: {error}") from None
    if not isinstance(values, dict):
        raise InputError(f"{path}: not a JSON object of keys and values")
    if any(override.partition("=")[0] in LENGTHS for override in overrides):
        for key in LENGTHS:  # a length in --set takes the place of the file's
            values.pop(key, None)
    for override in overrides:
        _apply(values, override)
    return check_config(values, f"{path}" + (" with --set" if overrides else ""))


def check_config(values: dict[str, Any], source: str) -> Config:
    """Return the typed recipe; InputError names `source` and each wrong key."""
    try:
        return Config.model_validate_json(json.dumps(values))  # as JSON, in which a tuple is an array
    except ValidationError as error:
        # Where `epochs` is wrong, the default of views_per_class, which depends on it, is no further complaint.
        wrong = [each for each in error.errors() if each["type"] != "default_factory_not_called"]
        raise InputError(f"{source}: {'; '.join(map(_complaint, wrong))}") from None


def _apply(values: dict[str, Any], override: str) -> None:
    key, separator, text = override.partition("=")
    if not separator or not key:
        raise InputError(f"--set {override!r}: write KEY=VALUE, such as epochs=3")
    try:
        value = json.loads(text)
    except json.JSONDecodeError:
        value = text
    *sections, last = key.split(".")
    for section in sections:
        values = values.setdefault(section, {})
        if not isinstance(values, dict):
            raise InputError(f"--set {override!r}: {section} holds no keys of its own")
    values[last] = value


def _complaint(error: dict[str, Any]) -> str:
    key = ".".join(str(part) for part in error["loc"])
    if error["type"] == "extra_forbidden":
        part = Config
        for name in error["loc"][:-1]:
            part = part.model_fields[name].annotation
        return f"unknown key {key!r}; the keys are {', '.join(part.model_fields)}"
    if not key:
        return error["msg"].removeprefix("Value error, ")
    return f"{key}: {error['msg'][0].lower()}{error['msg'][1:]}, not {json.dumps(error['input'], ensure_ascii=False)}"

"""The recipe of a training: a JSON file, checked as a whole before anything runs."""

import json
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from game_classifier.errors import InputError
from game_classifier.frames.augment import Augmentation
from game_classifier.frames.decode import IMAGENET_MEAN, IMAGENET_STD, Preprocessing

Share = Annotated[float, Field(ge=0, lt=1)]
Probability = Annotated[float, Field(ge=0, le=1)]
Natural = Annotated[float, Field(ge=0)]
Count = Annotated[int, Field(ge=1)]
Side = Annotated[int, Field(ge=32, le=4096)]
Channels = tuple[float, float, float]


class _Strict(BaseModel):
    # strict: the text "10" is no number; extra: a misspelt key is an error, not a silent default
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class AugmentConfig(_Strict):
    """The `augment` part: see frames/augment.py for what each value does; timm's Mixup for mixup and cutmix."""

    zoom: Share = 0.15
    shift: Share = 0.1
    brightness: Share = 0.2
    contrast: Share = 0.2
    erase: Probability = 0.25
    stream: Probability = 0.35
    mixup: Natural = 0.0
    cutmix: Natural = 0.0


class GateConfig(_Strict):
    """The `gate` part: the frames that a conversion is judged on, and its thresholds; see deploy/gate.py."""

    frames: Count = 512
    calibration_frames: Count = 300
    fp32_difference: Natural = 1e-4
    bf16_agreement: Probability = 0.98
    int8_agreement: Probability = 0.98
    top1_drop: Probability = 0.005


class Config(_Strict):
    """Every key of a recipe, with its default; README.md documents each."""

    network: str = "repvgg_a0"
    image_size: Side | Annotated[list[Side], Field(min_length=2, max_length=2)] = 128
    resize: Literal["squash", "letterbox", "center_crop"] = "squash"
    mean: Channels = IMAGENET_MEAN
    std: Channels = IMAGENET_STD
    weights_path: str = ""
    pretrained: Literal["none", "hub"] = "none"
    train_sizes: list[Annotated[float, Field(gt=0, le=1)]] = [0.5, 0.5, 0.75, 0.75, 1.0, 1.0]
    epochs: Count = 6
    patience: Annotated[int, Field(ge=0)] = 0
    min_steps: Count = 40
    batch_size: Annotated[int, Field(ge=2)] = 64
    accumulate: Count = 1
    balance: Literal["none", "sampling", "loss"] = "none"
    optimizer: str = "sgd"
    lr: Annotated[float, Field(gt=0)] = 0.1
    schedule: Literal["cosine", "one_cycle"] = "cosine"
    warmup: Share = 0.1
    momentum: Share = 0.9
    weight_decay: Natural = 1e-4
    clip_grad: Natural = 0.0
    label_smoothing: Share = 0.1
    ema_decay: Share = 0.99
    augment: AugmentConfig = AugmentConfig()
    device: str = "auto"
    precision: Literal["auto", "fp32", "bf16", "fp16"] = "auto"
    threads: Annotated[int, Field(ge=0)] = 0
    cache_gb: Natural = 16.0
    save_minutes: Natural = 5.0
    seed: int = 0
    gate: GateConfig = GateConfig()

    @model_validator(mode="after")
    def _agrees_with_itself(self) -> "Config":
        if not self.train_sizes:
            raise ValueError("train_sizes: needs at least one share of image_size, such as [1.0]")
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
        return Augmentation(**self.augment.model_dump(exclude={"mixup", "cutmix"}))


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
    for override in overrides:
        _apply(values, override)
    return check_config(values, f"{path}" + (" with --set" if overrides else ""))


def check_config(values: dict[str, Any], source: str) -> Config:
    """Return the typed recipe; InputError names `source` and each wrong key."""
    try:
        return Config.model_validate_json(json.dumps(values))  # as JSON, in which a tuple is an array
    except ValidationError as error:
        raise InputError(f"{source}: {'; '.join(_complaint(each) for each in error.errors())}") from None


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
        known = ", ".join((AugmentConfig if key.startswith("augment.") else Config).model_fields)
        return f"unknown key {key!r}; the keys are {known}"
    if not key:
        return error["msg"].removeprefix("Value error, ")
    return f"{key}: {error['msg'][0].lower()}{error['msg'][1:]}, not {json.dumps(error['input'], ensure_ascii=False)}"

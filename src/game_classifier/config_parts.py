"""The types of a recipe's values, and the parts of a recipe that have keys of their own."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, ValidatorFunctionWrapHandler, WrapValidator
from pydantic_core import PydanticCustomError


def _image_size(value: Any, check: ValidatorFunctionWrapHandler) -> int | list[int]:
    """Give one complaint about a wrong value; pydantic gives one for each of the two types."""
    try:
        return check(value)
    except ValidationError:
        complaint = "must be a side in pixels from 32 to 4096, or [height, width]"
        raise PydanticCustomError("image_size", complaint) from None


Share = Annotated[float, Field(ge=0, lt=1)]
Probability = Annotated[float, Field(ge=0, le=1)]
Natural = Annotated[float, Field(ge=0)]
Count = Annotated[int, Field(ge=1)]
Side = Annotated[int, Field(ge=32, le=4096)]
HeightAndWidth = Annotated[list[Side], Field(min_length=2, max_length=2)]
ImageSize = Annotated[Side | HeightAndWidth, WrapValidator(_image_size)]
Channels = tuple[float, float, float]


class Strict(BaseModel):
    """Values of a recipe or of a part of it."""

    # strict: the text "10" is no number; extra: a misspelt key is an error, not a silent default
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class AugmentConfig(Strict):
    """The `augment` part. frames/augment.py applies it; mixup and cutmix are timm's Mixup."""

    zoom: Share = Field(0.15, description="Each side is multiplied by its own factor from 1 - zoom to 1 + zoom.")
    shift: Share = Field(0.1, description="The picture moves by up to this share of each side.")
    brightness: Share = Field(
        0.2, description="Pixels are multiplied by a factor from 1 - brightness to 1 + brightness."
    )
    contrast: Share = Field(
        0.2, description="The distance to the frame's mean is multiplied by a factor from 1 - contrast to 1 + contrast."
    )
    erase: Probability = Field(
        0.25, description="Probability of one rectangle in a plain colour, with sides of 5% to 45% of the frame's."
    )
    stream: Probability = Field(
        0.35,
        description="Probability of a stream layout instead of zoom and shift: a smaller picture on a black, plain or"
        " blurred background, with webcam, chat and banner.",
    )
    calm_end: Probability = Field(
        0.2,
        description="Share of the training, at its end, without zoom, shift and erasing: the network ends with frames"
        " as it will see them.",
    )
    mixup: Natural = Field(0.0, description="Alpha of timm's mixup, such as 0.2. 0: no mixup.")
    cutmix: Natural = Field(0.0, description="Alpha of timm's cutmix, such as 1. 0: no cutmix.")


class DistillConfig(Strict):
    """The `distill` part: how a network learns from `teacher`; see tasks/classification/teacher.py."""

    weight: Probability = Field(
        0.7, description="The teacher's part of the loss. The rest is the cross-entropy with the true classes."
    )
    temperature: Annotated[float, Field(ge=0.5, le=20)] = Field(
        2.0, description="Both networks' logits are divided by it before they are compared."
    )


class DetectionConfig(Strict):
    """The `detection` part, which only detectors use; tasks/detection/ applies it."""

    mosaic: Probability = Field(0.5, description="Probability of a part of four joined frames, not zoom and shift.")
    flip: Probability = Field(0.0, description="Probability of a mirrored frame. It mirrors text too.")
    hue: Annotated[float, Field(ge=0, le=0.5)] = Field(
        0.0, description="Colours are turned by up to this share of the colour circle, such as 0.015."
    )
    saturation: Share = Field(
        0.0, description="Colourfulness is multiplied by a factor from 1 - saturation to 1 + saturation."
    )
    anchors: Literal["auto", "keep"] = Field(
        "auto", description="`auto`: k-means finds others where the network's own fit fewer than 98% of the boxes."
    )


class GateConfig(Strict):
    """The `gate` part: the frames that a conversion is judged on, and its thresholds; see deploy/gate.py."""

    frames: Count = Field(512, description="Frames that each deployed file is tested on.")
    calibration_frames: Count = Field(
        300, description="Training frames for the quantization to INT8, balanced over the classes."
    )
    fp32_difference: Natural = Field(
        1e-4, description="Largest allowed difference of a probability, or of a detector's score, in fp32."
    )
    fp32_box_difference: Natural = Field(
        0.05, description="Largest allowed difference of a side of a detector's box in fp32, in pixels of its input."
    )
    bf16_agreement: Probability = Field(
        0.98, description="Smallest allowed share of frames with the same most likely class, in bf16."
    )
    int8_agreement: Probability = Field(
        0.98, description="Smallest allowed share of frames with the same most likely class, in INT8."
    )
    bf16_decisions: Probability = Field(
        0.99, description="Smallest allowed share of frames with the same decision to refuse, in bf16."
    )
    int8_decisions: Probability = Field(
        0.98, description="Smallest allowed share of frames with the same decision to refuse, in INT8."
    )
    top1_drop: Probability = Field(0.005, description="Largest allowed fall of top-1, in bf16 and INT8.")
    bf16_ap_drop: Probability = Field(0.005, description="Largest allowed fall of a detector's AP, in bf16.")
    int8_ap_drop: Probability = Field(0.01, description="Largest allowed fall of a detector's AP, in INT8.")

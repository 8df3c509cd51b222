"""Post-training quantization to INT8 with NNCF, an optional extra, in ways that lose less and less."""

import importlib.util
import logging
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import openvino as ov

from game_classifier.errors import InputError


@dataclass(frozen=True)
class Validation:
    """Frames and targets for accuracy control."""

    pixels: np.ndarray  # float32 [N, 3, H, W]
    targets: np.ndarray  # [N]
    hits: Callable[[np.ndarray, np.ndarray], np.ndarray]  # answers, targets -> how right each is, 0..1

    def measure(self, model: ov.CompiledModel, items: Iterable[Any]) -> tuple[float, list[float]]:
        """The mean of the hits, and each, as NNCF asks for it."""
        hits = [float(self.hits(model(pixels)[0], np.array([target]))[0]) for pixels, target in items]
        return sum(hits) / len(hits), hits


def is_available() -> bool:
    """Whether NNCF is installed."""
    return importlib.util.find_spec("nncf") is not None


def quantized_models(
    core: ov.Model, calibration: np.ndarray, validation: Validation, max_drop: float
) -> Iterator[tuple[str, ov.Model]]:
    """Yield (way, INT8 network) from the cheapest way to the most accurate one; each is made on demand.

    `core` takes pixels float32 [N, 3, H, W]; `calibration` are such pixels of training frames, balanced over the
    classes. Weights are quantized by channel. The last way returns layers to floating point until the hits on
    `validation` fall by no more than `max_drop`; it is left out if there are no such frames. Raises InputError when
    NNCF is not installed.
    """
    if not is_available():
        raise InputError("format int8: NNCF is not installed; pip install -e '.[int8]', or leave the format out")
    import nncf  # takes seconds, and is optional
    from nncf.quantization.range_estimator import RangeEstimatorParametersSet

    nncf.set_log_level(logging.ERROR)
    frames = nncf.Dataset([frame[None] for frame in calibration])
    # NNCF's faster bias correction takes as long here and loses more accuracy: see docs/conversion.md.
    common: dict[str, Any] = {
        "subset_size": len(calibration),
        "target_device": nncf.TargetDevice.CPU,
        "fast_bias_correction": False,
    }
    percentiles = nncf.AdvancedQuantizationParameters(
        activations_range_estimator_params=RangeEstimatorParametersSet.MEAN_QUANTILE
    )

    yield "accurate bias correction", nncf.quantize(core, frames, **common)
    yield "percentile ranges", nncf.quantize(core, frames, **common, advanced_parameters=percentiles)
    if len(validation.targets):
        yield (
            "accuracy control",
            nncf.quantize_with_accuracy_control(
                core,
                frames,
                nncf.Dataset(list(zip(validation.pixels[:, None], validation.targets, strict=True))),
                validation.measure,
                max_drop=max_drop,
                **common,
            ),
        )

"""Converting a checkpoint: fold, check the folded network, write the deploy file, check that too."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from game_classifier.deploy.artifact import Metadata, load_artifact, save_artifact
from game_classifier.errors import InputError
from game_classifier.models.checkpoint import Checkpoint
from game_classifier.models.fold import FrameClassifier, fold, fold_float64
from game_classifier.models.zoo import parameter_count
from game_classifier.storage import make_folder

# Relative to the largest logit. Rounding alone stays far below each; a branch folded wrongly is far above.
FOLD_TOLERANCE_FLOAT64 = 1e-9
FOLD_TOLERANCE_FLOAT32 = 1e-4
PROBABILITY_TOLERANCE = 1e-4
CHECK_FRAMES = 8
CHECK_FRAME_SIZE = (180, 320)  # not the network's, so that resizing inside the deploy file is checked too


@dataclass(frozen=True)
class ConversionReport:
    """What was checked; differences are the largest over the check frames."""

    path: Path
    parameters_trained: int
    parameters_deployed: int
    fold_difference_float64: float  # of logits, relative to the largest
    fold_difference_float32: float
    file_difference: float  # of probabilities, between the file read back and the trained network


def convert(checkpoint: Checkpoint, folder: Path) -> ConversionReport:
    """Write `folder/NETWORK_cpp_deploy.pt` from a checkpoint.

    Raises InputError, and leaves no file, when the folded network or the file answers differently from the
    trained network.
    """
    make_folder(folder)
    trained = checkpoint.build()
    folded = fold(trained)
    frames = _check_frames()
    pixels = _pixels_of(frames, checkpoint).double()
    with torch.inference_mode():
        logits = trained.double()(pixels)
        scale = logits.abs().max().clamp(min=1.0)
        exact = ((fold_float64(trained)(pixels) - logits).abs().max() / scale).item()
        rounded = ((folded(pixels.float()) - logits).abs().max() / scale).item()
        probabilities = logits.softmax(dim=1)
    _require(exact, FOLD_TOLERANCE_FLOAT64, "the folded network's logits (float64)")
    _require(rounded, FOLD_TOLERANCE_FLOAT32, "the folded network's logits (float32)")

    path = folder / f"{checkpoint.network}_cpp_deploy.pt"
    unchecked = path.with_name(f".{path.name}.unchecked")
    metadata = Metadata.of_checkpoint(checkpoint)
    try:
        save_artifact(unchecked, folded, metadata)
        module, read_back = load_artifact(unchecked, torch.device("cpu"))
        with torch.inference_mode():
            difference = (module(frames).double() - probabilities).abs().max().item()
        _require(difference, PROBABILITY_TOLERANCE, "the deploy file's probabilities")
        if read_back != metadata:
            raise InputError(f"{path}: its metadata came back changed; this is a defect, please report it")
        unchecked.replace(path)
    finally:
        unchecked.unlink(missing_ok=True)
    return ConversionReport(path, parameter_count(trained), parameter_count(folded), exact, rounded, difference)


def _require(difference: float, tolerance: float, what: str) -> None:
    if not difference <= tolerance:  # also when it is NaN
        raise InputError(
            f"{what} differ from the trained network's by {difference:.2e}, more than {tolerance:.0e}; nothing was"
            " written: the checkpoint's weights are unusable, or the network cannot be folded"
        )


def _check_frames() -> Tensor:
    """uint8 [n, H, W, 3]: smooth random pictures, which excite a network more as frames do than noise does."""
    random = np.random.default_rng(0)
    coarse = torch.from_numpy(random.integers(0, 256, (CHECK_FRAMES, 3, 9, 16)).astype(np.float32))
    smooth = nn.functional.interpolate(coarse, CHECK_FRAME_SIZE, mode="bicubic").clamp(0, 255)
    return smooth.to(torch.uint8).permute(0, 2, 3, 1).contiguous()


def _pixels_of(frames: Tensor, checkpoint: Checkpoint) -> Tensor:
    """The network's input for `frames`, float [n, 3, H, W], by the very module that is deployed."""
    with torch.inference_mode():
        return FrameClassifier(nn.Identity(), checkpoint.preprocessing).pixels(frames)

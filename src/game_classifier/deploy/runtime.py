"""One way to run a classifier, whatever file it comes from."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import nn

from game_classifier.data.frames import Preprocessing
from game_classifier.deploy.artifact import load_artifact
from game_classifier.device import choose_device
from game_classifier.errors import InputError
from game_classifier.models.checkpoint import load_checkpoint
from game_classifier.models.fold import FrameClassifier, fold


@dataclass(frozen=True)
class Classifier:
    """A callable: frames in, probabilities out, with what is needed to prepare the one and name the other."""

    source: Path
    class_names: tuple[str, ...]
    preprocessing: Preprocessing
    module: nn.Module
    device: torch.device
    precision: str = "fp32"

    def __call__(self, frames: np.ndarray) -> np.ndarray:
        """uint8 RGB [N, H, W, 3] -> float32 probabilities [N, C]."""
        with torch.inference_mode():
            return self.module(torch.from_numpy(frames).to(self.device)).cpu().numpy()

    def sha256(self) -> str:
        """Of the file, hex."""
        with self.source.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()


def load_classifier(path: Path, device_name: str = "auto") -> Classifier:
    """Load a deploy file (.pt), or a checkpoint (.pth), whose network is folded on the way.

    Raises InputError for any other file.
    """
    device = choose_device(device_name)
    if path.suffix == ".pt":
        module, metadata = load_artifact(path, device)
        return Classifier(path, metadata.class_names, metadata.preprocessing, module, device)
    if path.suffix == ".pth":
        checkpoint = load_checkpoint(path)
        module = FrameClassifier(fold(checkpoint.build()), checkpoint.preprocessing).to(device).eval()
        return Classifier(path, checkpoint.class_names, checkpoint.preprocessing, module, device)
    raise InputError(f"{path}: give a deploy file (.pt) or a checkpoint (.pth)")

"""The network being trained with all that changes at each step: made anew, or gone on with from a checkpoint."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from timm.optim import create_optimizer_v2
from timm.utils import ModelEmaV3
from torch import nn

from game_classifier.config import Config
from game_classifier.device import choose_device, choose_precision
from game_classifier.errors import InputError
from game_classifier.models.checkpoint import load_checkpoint
from game_classifier.models.zoo import build_model


@dataclass
class Trainee:
    """A training's state between two steps."""

    network: nn.Module
    ema: ModelEmaV3  # running average of the weights: what is validated and kept
    optimizer: torch.optim.Optimizer
    scaler: torch.amp.GradScaler  # scales fp16 losses; passes the others through
    device: torch.device
    precision: str  # a key of device.DTYPES
    step: int = 0  # steps done, over all epochs

    def state_dict(self) -> dict[str, Any]:
        """Tensors and plain values, from which `load_state_dict` goes on."""
        return {
            "network": self.network.state_dict(),
            "ema": self.ema.module.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "scaler": self.scaler.state_dict(),
            "step": self.step,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from `state`."""
        self.network.load_state_dict(state["network"])
        self.ema.module.load_state_dict(state["ema"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.scaler.load_state_dict(state["scaler"])
        self.step = state["step"]


def new_trainee(config: Config, num_classes: int) -> Trainee:
    """Build the network with fresh weights from the seed, and its optimiser.

    BatchNorm's values and the biases are not decayed, as in the RepVGG authors' training.
    """
    torch.manual_seed(config.seed)
    device = choose_device(config.device)
    precision = choose_precision(config.precision, device)
    network = build_model(config.network, num_classes).to(device)
    if uses_channels_last(device, precision):
        network = network.to(memory_format=torch.channels_last)
    optimizer = create_optimizer_v2(
        network,
        opt=config.optimizer,
        lr=config.lr,
        weight_decay=config.weight_decay,
        momentum=config.momentum,
        filter_bias_and_bn=True,
    )
    # The warm-up of the average lets it forget the random start within the first epoch.
    ema = ModelEmaV3(network, decay=config.ema_decay, use_warmup=True, warmup_gamma=1.0)
    scaler = torch.amp.GradScaler(device.type, enabled=precision == "fp16")
    return Trainee(network, ema, optimizer, scaler, device, precision)


def uses_channels_last(device: torch.device, precision: str) -> bool:
    """Whether training keeps its tensors in channels_last, which plain fp32 on a CPU gains nothing from."""
    return device.type == "cuda" or precision != "fp32"


def load_training(path: Path, identity: dict[str, Any], resume: bool) -> dict[str, Any] | None:
    """Return the `training` part of the last checkpoint to go on from, or None where there is none.

    Raises InputError when there is one but `resume` was not asked for, and, naming what differs, when it
    was made with another recipe, class list or lists than `identity` says.
    """
    if not path.exists():
        return None
    if not resume:
        raise InputError(
            f"{path}: a training stands there already; go on with it by --resume, or name another folder with -o"
        )
    training = load_checkpoint(path).training
    if training is None:
        raise InputError(f"{path}: holds no state to resume from; name another folder with -o")
    differing = [key for key, value in identity.items() if training["identity"].get(key) != value]
    if differing:
        raise InputError(
            f"{path}: made with another {', '.join(differing)}; restore that to resume, or name another folder with -o"
        )
    return training

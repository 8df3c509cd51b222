"""The network in training and everything that changes at each step: new, or continued from a checkpoint."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from timm.optim import create_optimizer_v2, list_optimizers
from timm.utils import ModelEmaV3
from torch import nn

from game_classifier.config import Config
from game_classifier.device import choose_device, choose_precision
from game_classifier.errors import InputError
from game_classifier.models.weights import find_weights, load_weights
from game_classifier.models.zoo import build_model, build_pretrained
from game_classifier.training.world import World


@dataclass
class Position:
    """How far a training is: the next step, and the sums over the epoch's steps before it."""

    epoch: int = 0  # whole epochs done
    step: int = 0  # steps done in the epoch after them
    loss_sum: float = 0.0  # over the frames of these steps
    frames: int = 0
    unread: dict[int, int] = field(default_factory=dict)  # row of the training list -> FrameStatus

    def __str__(self) -> str:
        return f"epoch {self.epoch}" + (f" and {self.step} steps of the next" if self.step else "")


@dataclass
class Trainee:
    """A training's state between two steps."""

    network: nn.Module
    parallel: nn.Module  # the network, or its wrapping that averages gradients over processes
    ema: ModelEmaV3  # running average of the weights: what is validated and kept
    optimizer: torch.optim.Optimizer
    scaler: torch.amp.GradScaler  # scales fp16 losses; passes the others through
    device: torch.device
    precision: str  # a key of device.DTYPES
    step: int = 0  # steps done, over all epochs

    def state_dict(self) -> dict[str, Any]:
        """Tensors and plain values for `load_state_dict`; the average is stored separately."""
        return {
            "network": self.network.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "scaler": self.scaler.state_dict(),
            "step": self.step,
        }

    def load_state_dict(self, state: dict[str, Any], ema: dict[str, torch.Tensor]) -> None:
        """Continue from `state` and the average `ema`."""
        self.network.load_state_dict(state["network"])
        self.ema.module.load_state_dict(ema)
        self.optimizer.load_state_dict(state["optimizer"])
        self.scaler.load_state_dict(state["scaler"])
        self.step = state["step"]

    def exchange_gradients(self, wanted: bool) -> None:
        """Set whether the next backward pass averages gradients over processes."""
        if self.parallel is not self.network:
            self.parallel.require_backward_grad_sync = wanted

    def require_finite(self) -> None:
        """Raise InputError if a weight is not finite, so that no such state is ever saved."""
        values = [value for value in self.ema.module.state_dict().values() if value.is_floating_point()]
        values += [parameter.detach() for parameter in self.network.parameters()]
        if not all(torch.stack([value.isfinite().all() for value in values]).tolist()):
            raise InputError(
                f"the weights are no longer finite at step {self.step}; lower lr with --set lr=...; the last checkpoint"
                " is still usable"
            )


def new_trainee(
    config: Config,
    class_names: tuple[str, ...],
    world: World,
    fresh: bool,
    prepare: Callable[[nn.Module], str] = lambda _: "",
) -> tuple[Trainee, str]:
    """Build the network and its optimiser; return them with a sentence on where the weights come from.

    `fresh`: start from the recipe's weights, or else from the seed's; a resumed training overwrites them anyway.
    `prepare` then adapts the network and returns a sentence, or "".
    BatchNorm's values and the biases are not decayed, as in the RepVGG authors' training.
    """
    torch.manual_seed(config.seed)
    device = choose_device(config.device, world.local_rank)
    precision = choose_precision(config.precision, device)
    if config.optimizer not in list_optimizers():
        raise InputError(
            f"optimizer {config.optimizer!r} is not known; give one of timm.optim.list_optimizers(), such as sgd"
        )
    network, origin = _start(config, class_names, fresh)
    origin = "; ".join(part for part in (origin, prepare(network) if fresh else "") if part)
    network = network.to(device)
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
    return Trainee(network, world.wrap(network), ema, optimizer, scaler, device, precision), origin


def _start(config: Config, class_names: tuple[str, ...], fresh: bool) -> tuple[nn.Module, str]:
    if fresh and config.pretrained == "hub":
        return build_pretrained(config.network, len(class_names)), "weights from timm's hub, a new head"
    network = build_model(config.network, len(class_names))
    if not (fresh and config.weights_path):
        return network, "fresh weights"
    loaded = load_weights(network, config.network, class_names, find_weights(Path(config.weights_path), config.network))
    return network, f"weights of {loaded.source} ({loaded.kind}); head: {loaded.head}"


def uses_channels_last(device: torch.device, precision: str) -> bool:
    """Whether training keeps its tensors in channels_last; plain fp32 on a CPU gains nothing from it."""
    return device.type == "cuda" or precision != "fp32"

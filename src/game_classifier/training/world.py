"""The processes of one training that torchrun started, and their communication; one process alone is a world too."""

import os
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist
from torch import nn

from game_classifier.device import choose_threads
from game_classifier.errors import InputError

PATIENCE = timedelta(minutes=30)  # for one process that decodes the frame cache while the others wait


@dataclass(frozen=True)
class World:
    """This process's place among all."""

    rank: int = 0
    size: int = 1
    local_rank: int = 0  # among those on this machine
    local_size: int = 1

    @property
    def is_first(self) -> bool:
        """Whether this process is the one that writes and prints."""
        return self.rank == 0

    def share(self, frames: int) -> int:
        """Each process's number of a batch's `frames`; InputError if they cannot be shared equally."""
        if frames % self.size or frames // self.size < 2:
            raise InputError(
                f"batch_size {frames}: cannot be shared equally by {self.size} processes with at least two frames each;"
                f" give a multiple of {self.size}, {2 * self.size} or more"
            )
        return frames // self.size

    def barrier(self) -> None:
        """Wait for all processes."""
        if self.size > 1:
            dist.barrier()

    def any(self, *flags: bool) -> tuple[bool, ...]:
        """The flags, each true for all processes if it is true for one."""
        if self.size == 1:
            return flags
        values = torch.tensor(flags, dtype=torch.int32)
        dist.all_reduce(values, dist.ReduceOp.MAX)
        return tuple(bool(value) for value in values)

    def gather(self, value: Any) -> list[Any]:
        """The value of each process, in order of rank."""
        if self.size == 1:
            return [value]
        values: list[Any] = [None] * self.size
        dist.all_gather_object(values, value)
        return values

    def copy_from_first(self, module: nn.Module) -> None:
        """Give every process the first one's parameters and buffers."""
        if self.size > 1:
            for tensor in module.state_dict().values():
                dist.broadcast(tensor, src=0)

    def wrap(self, network: nn.Module) -> nn.Module:
        """The network with gradients averaged over all processes after each backward pass."""
        if self.size == 1:
            return network
        return nn.parallel.DistributedDataParallel(network)


def join_world() -> World:
    """The world that torchrun made, or this process alone.

    Processes of one machine share its processors; torchrun would give each a single one.
    """
    if "RANK" not in os.environ or "WORLD_SIZE" not in os.environ:
        return World()
    names = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE")
    world = World(*(int(os.environ.get(name, default)) for name, default in zip(names, "0101", strict=True)))
    if world.size > 1:
        torch.set_num_threads(choose_threads(None, world.local_size))
        backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"
        dist.init_process_group(backend, timeout=PATIENCE)
    return world


def leave_world(world: World) -> None:
    """End what `join_world` began."""
    if world.size > 1:
        dist.destroy_process_group()

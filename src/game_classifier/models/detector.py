"""The parts of every detector: a trunk, a neck that joins its maps, and a head at each level."""

from torch import Tensor, nn


class Detector(nn.Module):
    """Float [N, 3, H, W] -> the head's outputs, one tensor for each level; H and W are multiples of 32.

    `trunk` has a `stem` and `stages`, as the classifier of the same family has; the neck gets the maps of the last
    three stages, and `pool` lies between the last one and the neck.
    """

    def __init__(self, trunk: nn.Sequential, neck: nn.Module, head: nn.Module, pool: nn.Module | None = None) -> None:
        super().__init__()
        self.trunk = trunk
        self.pool = pool or nn.Identity()
        self.neck = neck
        self.head = head

    def forward(self, pixels: Tensor) -> list[Tensor]:
        """Infer; `decoder` turns the outputs into boxes."""
        features = self.trunk.stem(pixels)
        maps = []
        for stage in self.trunk.stages:
            features = stage(features)
            maps.append(features)
        return self.head(self.neck([*maps[-3:-1], self.pool(features)]))

    def decoder(self) -> nn.Module:
        """The module that turns the outputs into boxes float32 [N, M, 4] and scores float32 [N, M, C]."""
        return self.head.decoder()

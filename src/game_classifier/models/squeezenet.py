"""SqueezeNet: torchvision's networks, started so that no class is lost."""

import torchvision
from torch import nn

LOGIT_BIAS = 1.0  # above the noise of the first steps, below the distance between logits at the end


def squeezenet(name: str, num_classes: int) -> nn.Module:
    """Return one of torchvision's SqueezeNets: float [N, 3, H, W] -> logits [N, num_classes], none below 0.

    The last convolution feeds a ReLU. torchvision starts its biases at 0, where the first noisy steps push some classes
    below zero on every frame; no gradient reaches them any more, and they are never predicted. Biases of 1 change
    nothing else: a softmax does not see what all logits have in common.
    Source: Iandola et al., "SqueezeNet", 2016, section 3.
    """
    network = getattr(torchvision.models, name)(num_classes=num_classes)
    nn.init.constant_(network.classifier[1].bias, LOGIT_BIAS)
    return network

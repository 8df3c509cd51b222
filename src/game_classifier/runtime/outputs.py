"""The outputs of a deployed file as answers of its task."""

from collections.abc import Sequence

import numpy as np

Answers = np.ndarray | tuple[np.ndarray, ...]  # [N, ...] each


def join_outputs(outputs: Sequence[np.ndarray]) -> Answers:
    """What a network of this kind answers before it is deployed.

    A classifier: probabilities float32 [N, C] alone, or with its second output `known` float32 [N] as one array
    [N, C + 1]. A detector: (boxes float32 [N, M, 4], scores float32 [N, M, C]).
    """
    if len(outputs) == 1:
        return outputs[0]
    first, second = outputs
    return np.concatenate([first, second[:, None]], axis=1) if second.ndim == 1 else (first, second)

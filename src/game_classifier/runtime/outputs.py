"""The outputs of a deployed file as one array."""

from collections.abc import Sequence

import numpy as np


def join_outputs(outputs: Sequence[np.ndarray]) -> np.ndarray:
    """Answers [N, ...] alone, or probabilities float32 [N, C] and `known` float32 [N] as one array [N, C + 1]."""
    if len(outputs) == 1:
        return outputs[0]
    probabilities, known = outputs
    return np.concatenate([probabilities, known[:, None]], axis=1)

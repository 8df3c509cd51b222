"""How far chance moves a score that was measured on few frames."""

import math

DEVIATIONS = 4
LEAST_VARIANCE = 0.01  # of one frame's hit: a recorded 100% does not forbid a miss


def chance(recorded: float, frames: int) -> float:
    """Four standard deviations of the share of `frames` that are hit, if `recorded` of all frames are."""
    return DEVIATIONS * math.sqrt(max(recorded * (1 - recorded), LEAST_VARIANCE) / frames)

"""Which frames are refused: the threshold of the `known` score for each share of known frames that may be lost."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from game_classifier.errors import InputError

HIGHEST_RATE = 0.5
NO_SCORE = "no frame is refused: the network has no `known` score; tool/fit_known.py adds it"


@dataclass(frozen=True)
class Refusals:
    """A table of refusal rates, fitted on validation frames, half of them in stream layouts.

    A frame is refused if its `known` is below the threshold of the rate.
    """

    rates: tuple[float, ...]  # shares of known frames, rising
    thresholds: tuple[float, ...]  # of `known`, 0..1
    caught: tuple[float, ...]  # share of held-out outliers, 0..1, that each threshold refuses
    default: float  # the rate where nobody asks for another one; 0: nothing is refused

    def threshold(self, rate: float | None = None) -> float:
        """The threshold of a rate of 0..0.5, by default the default one; between two rates it is interpolated.

        Raises InputError for a rate outside of that, and for one below the first that could be fitted.
        """
        rate = self.default if rate is None else rate
        require_rate(rate)
        if rate == 0:
            return 0.0
        if rate < self.rates[0]:
            raise InputError(
                f"refusal rate {rate:g}: the network's thresholds begin at {self.rates[0]:g}, because its validation"
                f" list had no more frames; give {self.rates[0]:g} or more, or train with {frames_needed(rate)}"
                " validation frames"
            )
        return float(np.interp(rate, self.rates, self.thresholds))

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON and checkpoints."""
        return {
            "rates": list(self.rates),
            "thresholds": list(self.thresholds),
            "caught": list(self.caught),
            "default": self.default,
        }

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "Refusals":
        """The inverse of `to_dict`."""
        columns = (tuple(values[name]) for name in ("rates", "thresholds", "caught"))
        return cls(*columns, values["default"])


def require_rate(rate: float) -> None:
    """Raise InputError for a refusal rate outside 0..0.5."""
    if not 0 <= rate <= HIGHEST_RATE:  # so written that NaN misses it
        raise InputError(
            f"refusal rate {rate:g}: give the share of known frames that may be refused, from 0 (none) to"
            f" {HIGHEST_RATE:g}, such as 0.01"
        )


def frames_needed(rate: float) -> int:
    """How many known frames it takes to fit the threshold of a rate: one of them is refused."""
    return int(np.ceil(1 / rate - 1e-9))


def fit_refusals(known: np.ndarray, outliers: np.ndarray, rates: Sequence[float], default: float) -> Refusals:
    """The table for the rates that can be fitted, from `known` scores float [N] of known frames and [M] of outliers.

    With fewer frames than `default` takes, the lowest fitted rate takes its place. `known` needs at least 2 frames.
    """
    wanted = sorted({*rates, *([default] if default else [])})
    fitted = [rate for rate in wanted if frames_needed(rate) <= len(known)]
    ordered = np.sort(known)
    # Between the last frame that is refused and the next: another runtime's rounding then moves no frame across.
    places = [int(rate * len(ordered) + 1e-9) for rate in fitted]
    thresholds = [float(ordered[place - 1 : place + 1].astype(np.float64).mean()) for place in places]
    caught = [float((outliers < threshold).mean()) for threshold in thresholds]
    least = min(fitted)
    return Refusals(tuple(fitted), tuple(thresholds), tuple(caught), max(default, least) if default else 0.0)

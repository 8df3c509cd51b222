"""From frames to games over time: a hidden Markov model of the classes and "unknown".

A game lasts some minutes, and a frame is only evidence. Source: Rabiner, "A tutorial on hidden Markov models", Proc.
IEEE 77 (1989): Viterbi finds the likeliest sequence (section III.B), the forward and backward passes give the
probability of each state (III.A). A switch leads to each class with the same probability, so both take O(T * S) steps
instead of the O(T * S * S) of hmmlearn, and the time between two samples may vary, which hmmlearn does not allow.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

BLOCK = 1000  # frames whose beliefs are in memory at a time
UNKNOWN = -1  # in results; in this module, "unknown" is the number of classes


@dataclass(frozen=True)
class Smoothing:
    """What is believed before any frame is seen."""

    game_length: float = 1200.0  # seconds that a game, or a break, lasts on average
    unknown_share: float = 0.3  # of all switches, those to "unknown"
    alike: float = 0.5  # of these, those to something that looks like one of the classes all the time
    error_rate: float = 0.02  # share of frames whose probabilities mean nothing, such as the flash of a loading screen
    independence: float = 2.0  # seconds after which a frame is new evidence; nearer ones are nearly the same picture
    even: float = 0.5  # a `known` that speaks neither for a class nor for "unknown"; see predict_video.even_known
    flat: float = 0.7  # without a `known` score, a frame whose likeliest class has less than this speaks for "unknown"

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self)


def log_emissions(probabilities: np.ndarray, known: np.ndarray | None, smoothing: Smoothing) -> np.ndarray:
    """How likely a frame alone makes each class and "unknown": float64 [T, C + 1], logarithms.

    `probabilities`: calibrated, float [T, C]. `known`: float [T], the probability that the frame shows one of the
    classes, or None.
    """
    values, shown = _weighed(probabilities, known, smoothing)
    return _with_errors(np.column_stack([values * shown, 1 - shown]), values.shape[1] + 1, smoothing)


def state_emissions(probabilities: np.ndarray, known: np.ndarray | None, smoothing: Smoothing) -> np.ndarray:
    """How well each state of HiddenMarkov explains each frame: float64 [T, 2 * C + 1], logarithms.

    Arguments as of `log_emissions`. Classes are taken as equally frequent. Then a frame is as likely in a class as
    probability * known, in something unknown that looks like the class as probability * (1 - known), and in something
    that looks like no class as (1 - known) / C, up to a common factor.
    """
    values, shown = _weighed(probabilities, known, smoothing)
    classes = values.shape[1]
    joint = np.column_stack([values * shown, values * (1 - shown), (1 - shown) / classes])
    return _with_errors(joint, 2 * classes, smoothing)


def _with_errors(joint: np.ndarray, states: int, smoothing: Smoothing) -> np.ndarray:
    return np.log((1 - smoothing.error_rate) * joint + smoothing.error_rate / states)


def _weighed(
    probabilities: np.ndarray, known: np.ndarray | None, smoothing: Smoothing
) -> tuple[np.ndarray, np.ndarray]:
    """The probabilities, and how much each frame speaks for "known", 0..1: float64 [T, C] and [T, 1]."""
    values = np.asarray(probabilities, np.float64)
    if known is None:
        return values, known_from_flatness(values, smoothing.flat)[:, None]
    odds = _odds(np.asarray(known, np.float64)) / _odds(smoothing.even)
    return values, (odds / (1 + odds))[:, None]


def _odds(probability: Any) -> Any:
    clipped = np.clip(probability, 1e-6, 1 - 1e-6)
    return clipped / (1 - clipped)


def known_from_flatness(probabilities: np.ndarray, flat: float) -> np.ndarray:
    """A stand-in for the `known` score, float64 [T] in 0..1: 0.5 where the likeliest class has the probability `flat`.

    Its odds are the squared odds of that class, relative to those of `flat`. It trusts the network too much: shown a
    game that it never learnt, a network is often sure.
    """
    odds = (_odds(probabilities.max(1, initial=0)) / _odds(flat)) ** 2
    return odds / (1 + odds)


class HiddenMarkov:
    """The model for frames at given times; `smoothing` as above, `classes` without "unknown".

    Hidden states: each class; for each class, something unknown that looks like it, such as a game that nobody learnt;
    something that looks like none. With a single unknown state, the first frames of a game would speak against it:
    which class it is must be told once, by one of C equal switches, while "unknown" would be the same everywhere.
    """

    def __init__(self, classes: int, smoothing: Smoothing) -> None:
        self.smoothing = smoothing
        self.classes = classes
        unknown, alike = smoothing.unknown_share, smoothing.unknown_share * smoothing.alike
        self.targets = np.full(2 * classes + 1, (1 - unknown) / classes)  # where a switch leads
        self.targets[classes:-1], self.targets[-1] = alike / classes, unknown - alike

    def merged(self, beliefs: np.ndarray) -> np.ndarray:
        """Probabilities of hidden states [..., 2 * C + 1] as those of the classes and "unknown" [..., C + 1]."""
        return np.concatenate(
            [beliefs[..., : self.classes], beliefs[..., self.classes :].sum(-1, keepdims=True)], axis=-1
        )

    def decode(self, times: np.ndarray, emissions: Callable[[int, int], np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        """The likeliest sequence of classes and "unknown", and the probability of each given all frames.

        `times`: seconds, rising, float [T]; `emissions(first, last)`: `state_emissions` of these frames, asked for
        twice. Returns int64 [T], with C for "unknown", and float64 [T]. Memory: a byte for each frame and hidden state,
        and the beliefs of BLOCK frames.
        """
        stays, weights = self.stays(times), self.weights(times)
        blocks = [slice(first, min(first + BLOCK, len(times))) for first in range(0, len(times), BLOCK)]
        score, belief, before = np.log(self.targets), self.targets, []
        stayed = np.ones((len(times), len(self.targets)), bool)  # the state before, on the best way to each state
        best = np.zeros(len(times), np.int64)  # the best state before, which all others come from
        for block in blocks:
            own = emissions(block.start, block.stop)
            before.append(belief)
            belief = self.forward(belief, self.likelihoods(own, weights[block]), stays[block])[-1]
            for step in range(block.start, block.stop):
                if step:
                    switched = (1 - stays[step]) * self.targets
                    best[step] = score.argmax()
                    same, other = score + np.log(stays[step] + switched), score[best[step]] + np.log(switched)
                    stayed[step] = same >= other
                    score = np.maximum(same, other)
                score = score + own[step - block.start] * weights[step]
        states, confidences = np.zeros(len(times), np.int64), np.zeros(len(times))
        state, later = score.argmax(), np.ones(len(score))
        for block, belief in zip(reversed(blocks), reversed(before), strict=True):
            for step in range(block.stop - 1, block.start - 1, -1):
                states[step] = state
                state = state if stayed[step, state] else best[step]
            factors = self.likelihoods(emissions(block.start, block.stop), weights[block])
            messages, later = self.backward(factors, stays[block], later)
            posteriors = self.merged(_normal(self.forward(belief, factors, stays[block]) * messages))
            states[block] = np.minimum(states[block], self.classes)
            confidences[block] = posteriors[np.arange(len(posteriors)), states[block]]
        return states, confidences

    def forward(self, belief: np.ndarray, likelihoods: np.ndarray, stays: np.ndarray) -> np.ndarray:
        """The belief at each frame, given it and those before; `belief`: before the first. float64 [N, states]."""
        beliefs = np.zeros_like(likelihoods)
        for step in range(len(likelihoods)):
            belief = beliefs[step] = _normal(self.predict(belief, stays[step]) * likelihoods[step])
        return beliefs

    def backward(
        self, likelihoods: np.ndarray, stays: np.ndarray, later: np.ndarray | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """What the frames after each one say of its state, up to a factor: float64 [N, states].

        `later`: what those after the last say of it. Returns also what all say of the frame before the first.
        """
        messages = np.ones_like(likelihoods)
        message = messages[-1] if later is None else later
        for step in range(len(likelihoods) - 1, -1, -1):
            messages[step] = message
            seen = message * likelihoods[step]
            message = _normal(stays[step] * seen + (1 - stays[step]) * (self.targets @ seen))
        return messages, message

    def predict(self, belief: np.ndarray, stay: float) -> np.ndarray:
        """The belief at the next frame, before it is seen."""
        return stay * belief + (1 - stay) * self.targets * belief.sum()

    def stays(self, times: np.ndarray) -> np.ndarray:
        """The probability that nothing ended since the frame before, float64 [T]; 1 for the first."""
        return np.exp(-np.diff(times, prepend=times[:1]) / self.smoothing.game_length)

    def weights(self, times: np.ndarray) -> np.ndarray:
        """How much of a frame is new evidence, float64 [T] in 0..1; 1 for the first."""
        since = np.diff(times, prepend=-np.inf)
        return np.minimum(1, since / self.smoothing.independence)

    @staticmethod
    def likelihoods(emissions: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """The emissions as factors, the largest of a frame 1."""
        weighted = emissions * weights[..., None]
        return np.exp(weighted - weighted.max(-1, keepdims=True))


class FixedLag:
    """The same for a stream: a frame's state is decided `lag` seconds later and never changes."""

    def __init__(self, model: HiddenMarkov, lag: float) -> None:
        self.model = model
        self.lag = lag
        self.undecided: deque[tuple[float, np.ndarray, np.ndarray]] = deque()  # time, likelihoods, forward belief
        self.last: tuple[float, np.ndarray] | None = None  # time and forward belief of the newest frame

    def add(self, time: float, emissions: np.ndarray) -> list[tuple[float, int, float]]:
        """Take a frame's `state_emissions`, float64 [2 * C + 1]; return what is decided now.

        (time, class or C for "unknown", its probability) of each frame.
        """
        belief, weight = self.model.targets, 1.0
        if self.last:
            times = np.array([self.last[0], time])
            belief, weight = self.model.predict(self.last[1], self.model.stays(times)[1]), self.model.weights(times)[1]
        factors = self.model.likelihoods(emissions, np.asarray(weight))
        self.last = time, _normal(belief * factors)
        self.undecided.append((time, factors, self.last[1]))
        return self._decide(time - self.lag)

    def finish(self) -> list[tuple[float, int, float]]:
        """Decide what is left at the end of a stream."""
        return self._decide(np.inf)

    def _decide(self, until: float) -> list[tuple[float, int, float]]:
        count = sum(time <= until for time, _, _ in self.undecided)
        if not count:
            return []
        times, factors, forward = (np.array(each) for each in zip(*self.undecided, strict=True))
        belief = self.model.merged(_normal(forward * self.model.backward(factors, self.model.stays(times))[0]))[:count]
        for _ in range(count):
            self.undecided.popleft()
        states = belief.argmax(1)
        return [(float(times[row]), int(states[row]), float(belief[row, states[row]])) for row in range(count)]


def _normal(values: np.ndarray) -> np.ndarray:
    return values / values.sum(-1, keepdims=True)

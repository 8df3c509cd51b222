"""The model over time: against sums and maxima over all sequences, and on made-up probabilities."""

import itertools

import numpy as np
import pytest

from game_classifier.timeline import hmm
from game_classifier.timeline.hmm import FixedLag, HiddenMarkov, Smoothing, state_emissions

FEW = Smoothing(game_length=30.0)
DEFAULTS = Smoothing()


def random_frames(count: int, classes: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Uneven times and log-emissions."""
    random = np.random.default_rng(seed)
    times = np.cumsum(random.uniform(0.5, 6.0, count))
    return times, state_emissions(random.dirichlet(np.ones(classes) * 0.4, count), random.random(count), FEW)


def joint_of_all_sequences(model: HiddenMarkov, times, emissions) -> dict[tuple[int, ...], float]:
    """The joint probability of each sequence of states with the frames, by the definition."""
    states = range(emissions.shape[1])
    weighted = np.exp(emissions * model.weights(times)[:, None])
    found = {}
    for sequence in itertools.product(states, repeat=len(times)):
        value = model.targets[sequence[0]] * weighted[0, sequence[0]]
        for step in range(1, len(times)):
            stay = np.exp(-(times[step] - times[step - 1]) / model.smoothing.game_length)
            one, other = sequence[step - 1], sequence[step]
            value *= (stay * (one == other) + (1 - stay) * model.targets[other]) * weighted[step, other]
        found[sequence] = value
    return found


def decode(model: HiddenMarkov, times, emissions) -> tuple[np.ndarray, np.ndarray]:
    return model.decode(times, lambda first, last: emissions[first:last])


def posteriors(model: HiddenMarkov, times, emissions) -> np.ndarray:
    """The probability of each class and "unknown" at each time, given all frames."""
    stays, likelihoods = model.stays(times), model.likelihoods(emissions, model.weights(times))
    product = model.forward(model.targets, likelihoods, stays) * model.backward(likelihoods, stays)[0]
    return model.merged(product / product.sum(1, keepdims=True))


@pytest.mark.parametrize("size", [1, 7, 40])
def test_blocks_change_nothing(size, monkeypatch):
    times, emissions = random_frames(40, 5)
    model = HiddenMarkov(5, Smoothing(game_length=3.0))
    whole = decode(model, times, emissions)
    assert len(set(whole[0].tolist())) > 2
    monkeypatch.setattr(hmm, "BLOCK", size)
    states, confidences = decode(model, times, emissions)
    assert states.tolist() == whole[0].tolist()
    np.testing.assert_allclose(confidences, whole[1], rtol=1e-12)


@pytest.mark.parametrize("seed", range(5))
def test_viterbi_and_posteriors_are_those_of_all_sequences(seed):
    times, emissions = random_frames(5, 3, seed)
    model = HiddenMarkov(3, FEW)
    joint = joint_of_all_sequences(model, times, emissions)
    expected = np.zeros((5, 4))
    for sequence, value in joint.items():
        expected[range(5), np.minimum(sequence, 3)] += value
    expected /= sum(joint.values())
    states, confidences = decode(model, times, emissions)
    assert states.tolist() == np.minimum(max(joint, key=joint.get), 3).tolist()
    np.testing.assert_allclose(confidences, expected[range(5), states], rtol=1e-9)
    np.testing.assert_allclose(posteriors(model, times, emissions), expected, rtol=1e-9)


def test_with_a_lag_longer_than_the_stream_the_online_answers_are_the_offline_ones():
    times, emissions = random_frames(40, 5)
    model = HiddenMarkov(5, FEW)
    follower = FixedLag(model, 1e6)
    assert not [decided for time, row in zip(times, emissions, strict=True) for decided in follower.add(time, row)]
    decided = follower.finish()
    expected = posteriors(model, times, emissions)
    assert [state for _, state, _ in decided] == expected.argmax(1).tolist()
    np.testing.assert_allclose([value for *_, value in decided], expected.max(1), rtol=1e-9)


@pytest.mark.parametrize("lag", [0.0, 7.0])
def test_a_decision_comes_after_the_lag_and_sees_no_later_frame(lag):
    times, emissions = random_frames(30, 4)
    model = HiddenMarkov(4, FEW)
    follower = FixedLag(model, lag)
    decided = []
    for row, time in enumerate(times):
        for when, state, value in follower.add(time, emissions[row]):
            assert when <= time - lag
            seen = posteriors(model, times[: row + 1], emissions[: row + 1])[times.tolist().index(when)]
            assert state == seen.argmax()
            assert value == pytest.approx(seen.max())
            decided.append(when)
    decided += [when for when, *_ in follower.finish()]
    assert decided == times.tolist()
    assert not follower.finish()


def sure(index: int, classes: int = 10, probability: float = 0.9) -> np.ndarray:
    values = np.full(classes, (1 - probability) / (classes - 1))
    values[index] = probability
    return values


def states_of(
    probabilities: list[np.ndarray],
    known: list[float] | None,
    interval: float = 2.0,
    smoothing: Smoothing = DEFAULTS,
) -> list[int]:
    model = HiddenMarkov(len(probabilities[0]), smoothing)
    scores = None if known is None else np.array(known)
    emissions = state_emissions(np.array(probabilities), scores, smoothing)
    return decode(model, np.arange(len(probabilities)) * interval, emissions)[0].tolist()


@pytest.mark.parametrize("known", [None, [0.97] * 31])
def test_a_wrong_frame_makes_no_switch_and_a_new_game_does(known):
    frames = [sure(3)] * 10 + [sure(5)] + [sure(3)] * 10 + [sure(7)] * 10
    assert states_of(frames, known) == [3] * 21 + [7] * 10


def test_without_a_known_score_flat_frames_are_unknown():
    flat = np.full(10, 0.1)
    assert states_of([sure(3)] * 10 + [flat] * 10 + [sure(4)] * 10, None) == [3] * 10 + [10] * 10 + [4] * 10


def test_with_a_known_score_sure_frames_of_no_known_game_are_unknown():
    frames = [sure(3)] * 10 + [sure(5)] * 10 + [sure(4)] * 10
    assert states_of(frames, [0.98] * 10 + [0.03] * 10 + [0.98] * 10) == [3] * 10 + [10] * 10 + [4] * 10


@pytest.mark.parametrize("classes", [3, 1000])
def test_short_games_are_not_swallowed_by_unknown_however_many_classes_there_are(classes):
    """Each game must be told from all others once; that must not make "unknown" cheaper."""
    frames = [sure(index, classes, 0.98) for index in (0, 1, 2, 0, 1) for _ in range(8)]
    assert states_of(frames, [0.85] * 40) == [index for index in (0, 1, 2, 0, 1) for _ in range(8)]


def test_unknown_parts_that_look_like_a_class_and_ones_that_look_like_none():
    flicker = [sure(index % 7, 10, 0.6) for index in range(10)]
    frames = [sure(3)] * 10 + [sure(5)] * 10 + flicker + [sure(4)] * 10
    assert states_of(frames, [0.9] * 10 + [0.1] * 20 + [0.9] * 10) == [3] * 10 + [10] * 20 + [4] * 10


def test_the_even_score_decides_what_is_unknown():
    frames, known = [sure(3)] * 20, [0.2] * 20
    assert set(states_of(frames, known)) == {10}
    assert set(states_of(frames, known, smoothing=Smoothing(even=0.1))) == {3}
    assert set(states_of(frames, [1e-9] * 20, smoothing=Smoothing(even=0.0))) == {3}  # nothing is refused


def test_looking_more_often_is_not_more_evidence():
    """Frames of a fifth of a second are nearly one picture: ten wrong ones in two seconds are no new game."""
    frames = [sure(3)] * 50 + [sure(5)] * 10 + [sure(3)] * 50
    assert set(states_of(frames, None, interval=0.2)) == {3}
    assert set(states_of(frames, None, interval=4.0)) == {3, 5}


def test_no_frames_and_one_frame():
    model = HiddenMarkov(4, FEW)
    assert [len(values) for values in decode(model, np.zeros(0), np.zeros((0, 9)))] == [0, 0]
    emissions = state_emissions(sure(2, 4)[None], None, FEW)
    assert decode(model, np.zeros(1), emissions)[0].tolist() == [2]

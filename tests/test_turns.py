"""Timing in turns: who runs when, and what the sums mean."""

import numpy as np

from game_classifier.compare.turns import WARM_UP_CALLS, Run, Times, in_turns, saving, saving_range


def test_every_call_is_made_once_and_the_turns_alternate():
    made = []
    runs = {name: Run(count, lambda call, name=name: made.append((name, call)), 2 * count) for name, count in
            (("a", 5), ("b", 2))}  # fmt: skip
    times = in_turns(runs, 2, threads=1)
    warm = min(WARM_UP_CALLS, 5) + 2
    assert made[:warm] == [*(("a", call) for call in range(WARM_UP_CALLS)), ("b", 0), ("b", 1)]
    assert made[warm:] == [("a", 0), ("a", 1), ("a", 2), ("b", 0), ("b", 1), ("a", 3), ("a", 4)]
    assert [len(each) for each in times["a"].rounds] == [3, 2]
    assert [len(each) for each in times["b"].rounds] == [1, 1]
    assert times["a"].frames == 10


def test_what_a_run_took():
    times = Times((np.array([1.0, 2.0]), np.array([3.0, 6.0])), frames=4)
    assert times.total() == 12
    assert times.ms() == 3000
    assert times.ms_percentile(50) == 2500
    assert times.a_call_is_a_frame()
    assert not Times(times.rounds, frames=8).a_call_is_a_frame()


def test_savings_are_of_the_baselines_time():
    ours = Times((np.array([1.0]), np.array([3.0])), frames=2)
    baseline = Times((np.array([4.0]), np.array([4.0])), frames=2)
    assert saving(ours, baseline) == 0.5
    assert saving_range(ours, baseline) == (0.25, 0.75)
    assert saving(baseline, ours) == -1

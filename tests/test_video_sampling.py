"""The moments of a video that are looked at, for key frames at any distances."""

import numpy as np
import pytest

from game_classifier.timeline.sampling import GridSampler, ListSampler, Moment, Sampler


def moments_of(sampler: Sampler, keys: list[float], end: float, piece: float = 5.0) -> list[Moment]:
    """As packets.py asks for them: at each key frame, in between, before the next one, and at the end."""
    found = []
    for start, stop in zip(keys, [*keys[1:], end], strict=True):
        found += sampler.at_key_frame(start)
        for cut in np.arange(start + piece, stop, piece):
            found += sampler.until(float(cut), "more frames")
        found += sampler.until(stop, "a key frame" if stop != end else "nothing")
    return found


@pytest.mark.parametrize("seed", range(20))
def test_every_interval_has_one_moment_and_the_nearest_key_frame_serves_it(seed):
    random = np.random.default_rng(seed)
    keys = [0.0, *np.cumsum(random.uniform(0.1, 12, 30)).round(2).tolist()]
    found = moments_of(GridSampler(2.0, "auto"), keys, keys[-1] + 7)
    numbers = [int(np.ceil(moment.time / 2 - 0.5)) if moment.key else moment.time / 2 for moment in found]
    assert numbers == list(range(int(np.ceil((keys[-1] + 7) / 2))))
    served = {number for number, moment in zip(numbers, found, strict=True) if moment.key}
    assert served == {int(np.ceil(key / 2 - 0.5)) for key in keys}
    assert all(moment.time in keys for moment in found if moment.key)


def test_exact_moments_need_no_key_frames_and_key_frames_need_no_others():
    keys = [0.0, 8.3, 16.7]
    assert [each.time for each in moments_of(GridSampler(2.0, "exact"), keys, 20.0)] == list(np.arange(0, 20, 2.0))
    assert moments_of(GridSampler(2.0, "key"), keys, 20.0) == [Moment(key, True) for key in keys]
    every_frame = [number / 10 for number in range(200)]
    assert len(moments_of(GridSampler(2.0, "auto"), every_frame, 20.0)) == 11


def test_named_moments_come_once_and_in_order():
    found = moments_of(ListSampler([3.0, 1.0, 12.0, 19.99]), [0.0, 8.3], 20.0)
    assert [each.time for each in found] == [1.0, 3.0, 12.0, 19.99]


def test_a_gap_is_left_out():
    sampler = GridSampler(2.0, "exact")
    assert len(sampler.until(5.0, "nothing")) == 3
    sampler.skip_to(20.5)
    assert [each.time for each in sampler.until(25.0, "nothing")] == [22.0, 24.0]


def test_a_rare_moment_waits_only_some_seconds_for_a_key_frame():
    """Otherwise minutes of packets would wait with it."""
    assert [each.time for each in GridSampler(300.0, "auto").until(311.0, "more frames")] == [0.0, 300.0]

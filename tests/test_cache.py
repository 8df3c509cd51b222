import os

import numpy as np
import pytest
from conftest import draw_frame

from game_classifier.frames import cache
from game_classifier.frames.cache import open_cache
from game_classifier.frames.decode import FrameError, FrameStatus, Preprocessing, read_frame
from game_classifier.frames.loader import load_batches

SIZE = Preprocessing(24, 40)
FRAME_BYTES = 24 * 40 * 3 + 1
PLENTY = 2**30


@pytest.fixture
def paths(tmp_path) -> list[str]:
    for number in range(5):
        draw_frame(number % 3, number).save(tmp_path / f"{number}.jpg")
    (tmp_path / "1.jpg").write_bytes(b"")
    (tmp_path / "cache").mkdir()
    return [str(tmp_path / f"{number}.jpg") for number in range(5)] + [str(tmp_path / "gone.jpg")]


def test_cached_frames_are_those_of_their_files(tmp_path, paths):
    cache = open_cache(tmp_path / "cache", paths, SIZE, PLENTY, threads=2)
    assert len(cache) == 6
    for row in (0, 2, 3, 4):
        assert np.array_equal(cache.read(row), read_frame(paths[row], SIZE))
    for row, status in ((1, FrameStatus.EMPTY), (5, FrameStatus.MISSING)):
        with pytest.raises(FrameError) as error:
            cache.read(row)
        assert error.value.status == status


@pytest.mark.parametrize("cached", [0, 1, 4, 6])
def test_batches_are_the_same_whatever_the_budget_holds(tmp_path, paths, cached):
    cache = open_cache(tmp_path / "cache", paths, SIZE, FRAME_BYTES * cached + 5, threads=2)
    assert len(cache) == cached
    rows = np.array([5, 2, 0, 3, 1, 4])
    ours = list(load_batches(paths, rows, SIZE, 4, 2, cache))
    for one, other in zip(ours, load_batches(paths, rows, SIZE, 4, 2), strict=True):
        assert np.array_equal(one.frames, other.frames)
        assert np.array_equal(one.status, other.status)
        assert np.array_equal(one.rows, other.rows)


def test_a_cache_is_found_again_and_only_for_the_same_files_and_size(tmp_path, paths, monkeypatch):
    folder = tmp_path / "cache"
    open_cache(folder, paths, SIZE, PLENTY, threads=2)
    [made] = folder.iterdir()
    with monkeypatch.context() as patched:
        patched.setattr(cache, "load_batches", None)  # nothing is decoded again
        assert len(open_cache(folder, paths, SIZE, PLENTY, threads=2)) == 6
    open_cache(folder, paths, Preprocessing(24, 48), PLENTY, threads=2)
    open_cache(folder, paths, Preprocessing(24, 40, "letterbox"), PLENTY, threads=2)
    open_cache(folder, paths[::-1], SIZE, PLENTY, threads=2)
    assert len(list(folder.iterdir())) == 4
    draw_frame(2, 99).save(paths[0])
    os.utime(paths[0], ns=(1, 1))
    changed = open_cache(folder, paths, SIZE, PLENTY, threads=2)
    assert np.array_equal(changed.read(0), read_frame(paths[0], SIZE))
    assert made.exists()


def test_an_interrupted_cache_is_never_taken_for_a_whole_one(tmp_path, paths, monkeypatch):
    real = cache.load_batches

    def stop_after_the_first(*arguments):
        yield next(iter(real(*arguments)))
        raise KeyboardInterrupt

    monkeypatch.setattr(cache, "ROWS_AT_A_TIME", 2)
    with monkeypatch.context() as patched:
        patched.setattr(cache, "load_batches", stop_after_the_first)
        with pytest.raises(KeyboardInterrupt):
            open_cache(tmp_path / "cache", paths, SIZE, PLENTY, threads=1)
    assert not list((tmp_path / "cache").iterdir())
    assert np.array_equal(
        open_cache(tmp_path / "cache", paths, SIZE, PLENTY, threads=1).read(4), read_frame(paths[4], SIZE)
    )

import numpy as np
import pytest
from conftest import draw_frame

from game_classifier.frames.decode import FrameStatus, Preprocessing, read_frame
from game_classifier.frames.loader import load_batches

SMALL = Preprocessing(32, 48)


@pytest.fixture
def paths(tmp_path):
    for number in range(11):
        draw_frame(0, number).save(tmp_path / f"{number}.jpg")
    (tmp_path / "4.jpg").write_bytes(b"")
    (tmp_path / "10.jpg").unlink()
    return [str(tmp_path / f"{number}.jpg") for number in range(11)]


@pytest.mark.parametrize("batch_size", [1, 3, 64])
@pytest.mark.parametrize("threads", [1, 4])
def test_rows_come_in_order_and_depend_on_their_file_alone(paths, batch_size, threads):
    order = np.array([7, 4, 0, 10, 9, 7, 3, 2, 1, 5])
    batches = list(load_batches(paths, order, SMALL, batch_size, threads))
    assert [len(batch.rows) for batch in batches[:-1]] == [batch_size] * (len(batches) - 1)
    np.testing.assert_array_equal(np.concatenate([batch.rows for batch in batches]), order)
    frames = np.concatenate([batch.frames for batch in batches])
    status = np.concatenate([batch.status for batch in batches])
    for position, row in enumerate(order):
        if row == 4:
            assert status[position] == FrameStatus.EMPTY
            assert not frames[position].any()
        elif row == 10:
            assert status[position] == FrameStatus.MISSING
        else:
            assert status[position] == FrameStatus.OK
            np.testing.assert_array_equal(frames[position], read_frame(paths[row], SMALL))


def test_readable_leaves_out_only_the_bad_frames(paths):
    [batch] = load_batches(paths, np.arange(11), SMALL, 64, 2)
    good = batch.readable()
    np.testing.assert_array_equal(good.rows, [0, 1, 2, 3, 5, 6, 7, 8, 9])
    assert good.frames.shape == (9, 32, 48, 3)


def test_a_reader_that_stops_early_leaves_no_thread_behind(paths):
    import threading

    before = threading.active_count()
    batches = load_batches(paths, np.tile(np.arange(11), 50), SMALL, 4, 3)
    next(batches)
    batches.close()
    assert threading.active_count() == before

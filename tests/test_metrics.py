import numpy as np
import pytest
from sklearn.metrics import confusion_matrix, precision_recall_fscore_support, top_k_accuracy_score

from game_classifier.scoring.calibration import BINS, Calibration
from game_classifier.scoring.metrics import Scores, confused_pairs, mostly_taken_for


def predictions(frames: int = 500, classes: int = 12) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(0)
    labels = random.integers(0, classes - 2, frames)  # the last two classes have no labelled frames
    probabilities = random.dirichlet(np.ones(classes), frames).astype(np.float32)
    probabilities[np.arange(frames), labels] += random.random(frames).astype(np.float32) * 0.4
    return probabilities, labels


def test_scores_are_those_of_scikit_learn():
    probabilities, labels = predictions()
    scores = Scores(12)
    scores.add(probabilities, labels)
    predicted = probabilities.argmax(1)
    np.testing.assert_array_equal(scores.confusion, confusion_matrix(labels, predicted, labels=range(12)))
    precision, recall, f1, support = precision_recall_fscore_support(
        labels, predicted, labels=range(12), zero_division=0
    )
    table = scores.per_class(tuple("abcdefghijkl"))
    for name, expected in (("precision", precision), ("recall", recall), ("f1", f1), ("support", support)):
        np.testing.assert_allclose(table[name], expected, atol=1e-12)
    assert (table["tp"] + table["fn"] == support).all()
    assert (table["tp"] + table["fp"] == np.bincount(predicted, minlength=12)).all()
    summary = scores.summary()
    assert summary.top1 == pytest.approx((predicted == labels).mean())
    assert summary.top5 == pytest.approx(top_k_accuracy_score(labels, probabilities, k=5, labels=range(12)))
    present = support > 0
    assert present.sum() == 10
    assert summary.mean_precision == pytest.approx(precision[present].mean())
    assert summary.mean_recall == pytest.approx(recall[present].mean())
    assert summary.mean_f1 == pytest.approx(f1[present].mean())


def test_batches_do_not_matter():
    probabilities, labels = predictions()
    whole, parts = Scores(12), Scores(12)
    whole.add(probabilities, labels)
    for start in range(0, 500, 37):
        parts.add(probabilities[start : start + 37], labels[start : start + 37])
    np.testing.assert_array_equal(whole.confusion, parts.confusion)
    assert whole.summary() == parts.summary()


def test_equal_probabilities_rank_by_index_for_top1_and_top5():
    scores = Scores(8)
    scores.add(np.full((8, 8), 0.125, np.float32), np.arange(8))
    assert scores.summary().top1 == 1 / 8
    assert scores.summary().top5 == 5 / 8


def test_without_frames_nothing_is_claimed():
    scores = Scores(3)
    scores.add(np.zeros((0, 3), np.float32), np.zeros(0, np.int32))
    assert np.isnan(scores.summary().top1)


def test_confused_pairs_are_all_wrong_cells_the_most_frequent_first():
    confusion = np.array([[9, 1, 0, 3], [0, 0, 1, 0], [3, 0, 3, 0], [0, 0, 0, 0]])
    expected = [(2, 0, 3, 3 / 6), (0, 3, 3, 3 / 13), (1, 2, 1, 1.0), (0, 1, 1, 1 / 13)]
    assert confused_pairs(confusion).tolist() == expected
    assert confused_pairs(np.diag([5, 0])).tolist() == []
    same = confused_pairs(np.ones((3, 3), int))  # equal counts and shares: by index
    assert list(zip(same["true"], same["predicted"], strict=True)) == [(0, 1), (0, 2), (1, 0), (1, 2), (2, 0), (2, 1)]


def test_mostly_taken_for_is_the_most_frequent_other_class():
    other, count = mostly_taken_for(np.array([[9, 1, 3], [0, 4, 0], [2, 2, 0]]))
    assert other[[0, 2]].tolist() == [2, 0]
    assert count.tolist() == [3, 0, 2]


def calibration_reference(probability: np.ndarray, right: np.ndarray) -> float:
    """Expected calibration error as Guo et al. 2017 write it: M bins ((m - 1) / M, m / M]."""
    error = 0.0
    for number in range(BINS):
        inside = (probability > number / BINS) & (probability <= (number + 1) / BINS)
        if inside.any():
            error += inside.mean() * abs(right[inside].mean() - probability[inside].mean())
    return error


def test_calibration_error_is_that_of_the_paper_however_frames_are_batched():
    random = np.random.default_rng(1)
    probability = random.random(1000).astype(np.float32)
    right = random.random(1000) < probability**2
    whole, parts = Calibration(), Calibration()
    whole.add(probability, right)
    for start in range(0, 1000, 37):
        part = Calibration()
        part.add(probability[start : start + 37], right[start : start + 37])
        parts.merge(part)
    expected = calibration_reference(probability.astype(np.float64), right)
    assert expected > 0.1
    assert whole.error() == pytest.approx(expected, abs=1e-12)
    assert parts.error() == pytest.approx(expected, abs=1e-12)
    assert whole.mean_confidence() == pytest.approx(probability.astype(np.float64).mean())
    table = whole.table()
    np.testing.assert_array_equal(table["count"], np.histogram(probability, BINS, (0, 1))[0])
    assert (table["low"][1:] == table["high"][:-1]).all()
    last = probability > 14 / 15
    assert table[-1]["accuracy"] == pytest.approx(right[last].mean())
    assert table[-1]["confidence"] == pytest.approx(probability[last].astype(np.float64).mean())


def test_calibration_at_the_edges_of_bins():
    calibration = Calibration()
    calibration.add(np.array([0.0, 1 / 15, 2 / 15, 1.0]), np.array([False, True, True, True]))
    counts = np.zeros(BINS)
    counts[[0, 1, 14]] = 2, 1, 1  # an edge belongs to the bin below it, and 0 to the first
    np.testing.assert_array_equal(calibration.table()["count"], counts)


def test_a_network_that_is_as_sure_as_it_is_right_has_no_calibration_error():
    calibration = Calibration()
    calibration.add(np.full(10, 0.8), np.arange(10) < 8)
    assert calibration.error() == pytest.approx(0)
    calibration.add(np.full(10, 1.0), np.arange(10) < 5)
    assert calibration.error() == pytest.approx(0.25)


def test_without_frames_or_with_nan_there_is_no_calibration_error():
    calibration = Calibration()
    calibration.add(np.zeros(0, np.float32), np.zeros(0, bool))
    assert np.isnan(calibration.error())
    assert np.isnan(calibration.mean_confidence())
    assert not calibration.table()["accuracy"].any()
    calibration.add(np.array([0.5, np.nan], np.float32), np.array([True, True]))
    assert np.isnan(calibration.error())

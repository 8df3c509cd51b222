import numpy as np
import pytest
from sklearn.metrics import confusion_matrix, precision_recall_fscore_support, top_k_accuracy_score

from game_classifier.report.metrics import Scores


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

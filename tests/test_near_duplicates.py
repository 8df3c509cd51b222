"""The search for near-duplicates finds exactly what comparing each with each finds."""

import time

import numpy as np
import pytest

from game_classifier.checks import near_duplicates
from game_classifier.checks.near_duplicates import MAX_DISTANCE, MAX_GREY_DIFFERENCE, NO_TWIN, Signatures, nearest_twins


def clustered(count: int, seed: int, near: np.ndarray | None = None) -> np.ndarray:
    """Hashes uint64: some random, some repeated, most a few bits away from one of `near` or of the random ones."""
    random = np.random.default_rng(seed)
    hashes = random.integers(0, 2**64, count, dtype=np.uint64)
    centres = hashes[: count // 10] if near is None else near
    for at in range(count // 5, count):
        flips = random.choice(64, random.integers(0, 7), replace=False)
        hashes[at] = random.choice(centres) ^ np.uint64(sum(1 << int(bit) for bit in flips))
    return hashes


def signatures(hashes: np.ndarray, seed: int = 0) -> Signatures:
    """With greys that are often too far apart for twins, and labels of three classes."""
    random = np.random.default_rng(seed)
    greys = np.where(random.random((len(hashes), 1)) < 0.7, 100, 200) + np.zeros((len(hashes), 6), int)
    return Signatures(hashes, greys.astype(np.uint8), random.integers(0, 3, len(hashes)))


def compare_all(query: Signatures, reference: Signatures, distance: int, relation: str) -> np.ndarray:
    """The differing bits of the nearest twin of each query, by brute force."""
    bits = np.bitwise_count(query.hashes[:, None] ^ reference.hashes[None]).astype(int)
    greys = np.abs(query.greys[:, None].astype(int) - reference.greys[None]).max(axis=2)
    allowed = (bits <= distance) & (greys <= MAX_GREY_DIFFERENCE)
    if relation == "earlier":
        allowed &= np.arange(len(reference))[None] < np.arange(len(query))[:, None]
    if relation == "other_class":
        allowed &= query.labels[:, None] != reference.labels[None]
    return np.where(allowed, bits, distance + 1).min(axis=1)


@pytest.mark.parametrize("relation", ["any", "earlier", "other_class"])
@pytest.mark.parametrize("distance", [0, 1, 4, 7])
@pytest.mark.parametrize("block", [7, 2**16])
def test_equals_comparing_each_with_each(distance, relation, block, monkeypatch):
    monkeypatch.setattr(near_duplicates, "PAIRS_AT_A_TIME", block)
    size = 120 if block == 7 else 1200
    reference = signatures(clustered(size, 1), 1)
    query = reference if relation == "earlier" else signatures(clustered(size, 2, reference.hashes), 2)
    twins, bits = nearest_twins(query, reference, distance, relation)
    expected = compare_all(query, reference, distance, relation)
    np.testing.assert_array_equal(bits, expected)
    found = twins != NO_TWIN
    np.testing.assert_array_equal(found, expected <= distance)
    assert 0 < found.sum() < len(query)
    apart = np.bitwise_count(query.hashes[found] ^ reference.hashes[twins[found]])
    np.testing.assert_array_equal(apart, expected[found])
    if relation == "earlier":
        assert (twins[found] < np.flatnonzero(found)).all()
    if relation == "other_class":
        assert (query.labels[found] != reference.labels[twins[found]]).all()


def test_no_frames_have_no_twins():
    nothing, some = signatures(np.zeros(0, np.uint64)), signatures(clustered(30, 1))
    assert len(nearest_twins(nothing, some, 4)[0]) == 0
    assert (nearest_twins(some, nothing, 4)[0] == NO_TWIN).all()


@pytest.mark.parametrize("distance", [-1, MAX_DISTANCE + 1])
def test_a_distance_out_of_range_is_an_error(distance):
    some = signatures(clustered(30, 1))
    with pytest.raises(ValueError, match="distance"):
        nearest_twins(some, some, distance)


def test_a_hundred_thousand_frames_take_seconds():
    many = signatures(clustered(100_000, 3))
    start = time.perf_counter()
    for relation in ("any", "earlier", "other_class"):
        nearest_twins(many, many, 4, relation)
    assert time.perf_counter() - start < 30  # some 2 s each on a busy machine; each with each would take minutes

"""Finding frames that look alike among 100,000 and more, without comparing each with each.

Two frames are twins when their 64-bit hashes differ in at most `distance` bits and their small grey pictures
differ by at most MAX_GREY_DIFFERENCE in every place. The hash finds the candidates fast. The hash alone confuses dark
frames that have a bright spot in the same place, and frames with the same background, so the grey pictures decide.

Candidates come from multi-index hashing: cut the 64 bits into distance + 1 bands; hashes that differ in at
most `distance` bits must agree in one whole band, so only hashes that share a band are compared.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np

# On 1,248 frames of 104 recorded games, moving by one pixel both ways and encoding again at quality 60 changed at
# most 4 bits and 6 grey levels. No frames of different games came within 4 bits and 8 levels of one another.
DEFAULT_DISTANCE = 4
MAX_GREY_DIFFERENCE = 8  # in levels of 0..255, largest of all places
MAX_DISTANCE = 12  # bands shorter than five bits would compare nearly each with each
PAIRS_AT_A_TIME = 2**16  # bounds the memory: some 60 MB with the greys of both sides

NO_TWIN = -1
Relation = Literal["any", "earlier", "other_class"]


@dataclass(frozen=True)
class Signatures:
    """The hashes, grey pictures and labels of N frames."""

    hashes: np.ndarray  # uint64 [N]
    greys: np.ndarray  # uint8 [N, G], the small grey picture
    labels: np.ndarray  # int [N]

    def __len__(self) -> int:
        return len(self.hashes)

    def __getitem__(self, rows: np.ndarray) -> "Signatures":
        """The signatures of some rows (mask or positions)."""
        return Signatures(self.hashes[rows], self.greys[rows], self.labels[rows])


def nearest_twins(
    query: Signatures, reference: Signatures, distance: int, relation: Relation = "any"
) -> tuple[np.ndarray, np.ndarray]:
    """For each of `query`, a twin in `reference` with the fewest differing hash bits.

    `relation` says which twins count: any, only those on an earlier row (with `query` as its own reference:
    what repeats inside a list), or only those of another class. Returns positions in `reference`
    int64 [N], NO_TWIN where there is none, and differing bits int64 [N], distance + 1 where there is none.
    Raises ValueError for a distance outside 0..MAX_DISTANCE.
    """
    if not 0 <= distance <= MAX_DISTANCE:
        raise ValueError(f"distance {distance} is outside 0..{MAX_DISTANCE}")
    twins = np.full(len(query), NO_TWIN, np.int64)
    bits = np.full(len(query), distance + 1, np.int64)
    ours, theirs = _Looks.of(query), _Looks.of(reference)
    for our, their, apart in _near_hashes(ours.hashes, theirs.hashes, distance):
        if relation == "other_class":
            differ = ours.labels[our] != theirs.labels[their]
            our, their, apart = our[differ], their[differ], apart[differ]
        _settle(query, reference, relation, (ours, theirs), (our, their, apart), (twins, bits))
    return twins, bits


@dataclass(frozen=True)
class _Looks:
    """The distinct pairs of hash and class: a screen that does not change for minutes is looked up once."""

    hashes: np.ndarray  # uint64 [U], sorted
    labels: np.ndarray  # int [U]
    starts: np.ndarray  # int64 [U + 1]: the frames of look u are frames[starts[u]:starts[u + 1]]
    frames: np.ndarray  # int64 [N], ascending inside a look

    @classmethod
    def of(cls, signatures: Signatures) -> "_Looks":
        order = np.lexsort((signatures.labels, signatures.hashes))
        hashes, labels = signatures.hashes[order], signatures.labels[order]
        is_new = np.ones(len(order), bool)
        is_new[1:] = (hashes[1:] != hashes[:-1]) | (labels[1:] != labels[:-1])
        starts = np.append(np.flatnonzero(is_new), len(order))
        return cls(hashes[is_new], labels[is_new], starts, order)


def _near_hashes(
    ours: np.ndarray, theirs: np.ndarray, distance: int
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Yield each pair of positions whose hashes differ in at most `distance` bits once, in blocks, with the bits.

    Equal hashes come first: they settle most frames, which then skip the rest.
    """
    everything = np.uint64(2**64 - 1)
    bands = _bands(distance) if distance else []
    for number, mask in enumerate([everything, *bands]):
        keys = theirs & mask
        order = np.argsort(keys, kind="stable")
        keys = keys[order]
        ours_masked = ours & mask
        first, last = np.searchsorted(keys, ours_masked, "left"), np.searchsorted(keys, ours_masked, "right")
        for our, position in _spread(first, last):
            their = order[position]
            difference = ours[our] ^ theirs[their]
            apart = np.bitwise_count(difference)
            wanted = apart <= distance
            if number:  # this band was not the first in which the two agree: they were seen already
                wanted &= apart > 0
                for earlier in bands[: number - 1]:
                    wanted &= (difference & earlier) != 0
            yield our[wanted], their[wanted], apart[wanted].astype(np.int64)


def _bands(distance: int) -> list[np.uint64]:
    """The masks of distance + 1 bands, each of bits from all over the picture.

    Bands of neighbouring bits would be useless where the same part of most frames is black.
    """
    count = distance + 1
    return [np.uint64(sum(1 << bit for bit in range(start, 64, count))) for start in range(count)]


def _settle(
    query: Signatures,
    reference: Signatures,
    relation: Relation,
    looks: tuple[_Looks, _Looks],
    near: tuple[np.ndarray, np.ndarray, np.ndarray],
    best: tuple[np.ndarray, np.ndarray],
) -> None:
    """Write the twins among the frames of `near` looks into `best` (twins, bits) where they are nearer."""
    ours, theirs = looks
    our_look, their_look, apart = near
    twins, bits = best
    for pair, position in _spread(ours.starts[our_look], ours.starts[our_look + 1]):
        frame = ours.frames[position]
        open_ = bits[frame] > apart[pair]
        pair, frame = pair[open_], frame[open_]
        look = their_look[pair]
        for each, other in _spread(theirs.starts[look], theirs.starts[look + 1]):
            ask, twin, between = frame[each], theirs.frames[other], apart[pair[each]]
            wanted = bits[ask] > between
            if relation == "earlier":
                wanted &= twin < ask
            ask, twin, between = ask[wanted], twin[wanted], between[wanted]
            alike = _same_greys(query.greys[ask], reference.greys[twin])
            ask, twin, between = ask[alike], twin[alike], between[alike]
            order = np.argsort(-between, kind="stable")  # of several writes to one place the last stays
            twins[ask[order]] = twin[order]
            bits[ask[order]] = between[order]


def _same_greys(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Whether greys uint8 [n, G] are alike; bool [n]."""
    difference = np.maximum(one, other) - np.minimum(one, other)
    return difference.max(axis=1, initial=0) <= MAX_GREY_DIFFERENCE


def _spread(first: np.ndarray, last: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield (row, position) for every position in first[row]..last[row]-1, PAIRS_AT_A_TIME at most."""
    counts = last - first
    ends = np.cumsum(counts)
    total = int(ends[-1]) if len(ends) else 0
    for start in range(0, total, PAIRS_AT_A_TIME):
        flat = np.arange(start, min(start + PAIRS_AT_A_TIME, total))
        low, high = np.searchsorted(ends, [flat[0], flat[-1]], "right")
        inside = np.minimum(ends[low : high + 1], flat[-1] + 1) - np.maximum(
            ends[low : high + 1] - counts[low : high + 1], start
        )
        row = np.repeat(np.arange(low, high + 1), inside)
        yield row, first[row] + flat - (ends[row] - counts[row])

"""Problems in the lists of a data set: turns the inspected rows of their files into findings."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from game_classifier.checks.inspect_frames import Problem, describe_mode
from game_classifier.checks.near_duplicates import NO_TWIN, Signatures, nearest_twins
from game_classifier.frames.decode import FrameStatus
from game_classifier.lists.filelist import UNKNOWN, UNKNOWN_WORD, FileList

RARE_SIZE = 0.01  # a size that fewer of the frames have is reported
IMBALANCE = 0.1  # a class with fewer frames than this share of the median is reported
# In the order of the report. PAIRS name a second frame in `other`.
KINDS = (
    "leakage",
    "unreadable",
    "truncated",
    "label_conflict",
    "duplicate_across_lists",
    "near_duplicate_across_lists",
    "exact_duplicate",
    "wrong_extension",
    "too_small",
    "unusual_size",
    "unusual_mode",
    "imbalance",
    "class_without_frames",
    "wrong_label",
    "unknown_class",
    "box_outside",
    "box_without_area",
    "box_doubled",
    "too_many_boxes",
    "image_without_labels",
    "labels_without_image",
    "class_without_boxes",
)
PAIRS = ("label_conflict", "duplicate_across_lists", "near_duplicate_across_lists", "exact_duplicate")


@dataclass(frozen=True)
class Finding:
    """One thing to look at; a row of findings.csv."""

    kind: str  # of KINDS
    path: str  # the frame, or the list or class that it is about
    other: str = ""  # the frame or list it was compared with
    detail: str = ""


@dataclass(frozen=True)
class Leakage:
    """How many frames of a list have a twin in the training list; flat and unreadable frames do not count."""

    name: str  # of the list
    frames: np.ndarray  # int64 [C]
    with_twin: np.ndarray  # int64 [C]

    @property
    def share(self) -> float:
        """Over all classes, 0..1."""
        return float(self.with_twin.sum() / max(1, self.frames.sum()))


@dataclass(frozen=True)
class Frames:
    """All frames of all lists one after the other, the training list first."""

    lists: Sequence[FileList]
    rows: np.ndarray  # INSPECTED [N], of the lists' frames in order

    @cached_property
    def paths(self) -> list[str]:
        """As the program can open them."""
        return [path for each in self.lists for path in each.paths]

    @cached_property
    def labels(self) -> np.ndarray:
        """int32 [N]; UNKNOWN where a frame shows none of the classes."""
        return np.concatenate([each.labels for each in self.lists])

    @cached_property
    def list_of(self) -> np.ndarray:
        """int64 [N], the number of each frame's list; 0 is training."""
        return np.repeat(np.arange(len(self.lists)), [len(each) for each in self.lists])

    @cached_property
    def readable(self) -> np.ndarray:
        """bool [N]."""
        return self.rows["status"] == FrameStatus.OK

    @cached_property
    def comparable(self) -> np.ndarray:
        """bool [N]: readable and not flat. Black and plain frames are alike in every game and say nothing."""
        return self.readable & ~self.rows["flat"]

    @cached_property
    def signatures(self) -> Signatures:
        """The signatures of all N frames; meaningless where a frame is not comparable."""
        return Signatures(self.rows["hash"], self.rows["grey"], self.labels)


@dataclass
class Report:
    """All findings, and the figures of the summary."""

    class_names: Sequence[str]
    frames: Frames
    findings: list[Finding] = field(default_factory=list)
    leakage: list[Leakage] = field(default_factory=list)  # one for each list of classes after the first
    repeats: list[int] = field(default_factory=list)  # of each list: frames with a twin earlier in it
    left_out: np.ndarray = field(default_factory=lambda: np.zeros(0, bool))  # [N]: what --fix-lists leaves out

    @cached_property
    def counts(self) -> dict[str, int]:
        """How many findings there are of each kind, in the order of KINDS, without zeros."""
        counted = Counter(finding.kind for finding in self.findings)
        return {kind: counted[kind] for kind in KINDS if counted[kind]}


def find_all(
    frames: Frames, class_names: Sequence[str], distance: int, max_leakage: float, others: Iterable[Finding] = ()
) -> Report:
    """Judge the frames of the lists; two are twins up to `distance` differing hash bits.

    A list is reported as leaking when more than the share `max_leakage`, 0..1, of its frames have a twin in training.
    `others` are findings of other kinds, which join the report.
    """
    report = Report(class_names, frames, left_out=~frames.readable)
    report.findings += _file_findings(frames)
    report.findings += others
    _find_exact(report)
    _find_near_conflicts(report, distance)
    _find_leakage(report, distance, max_leakage)
    for number, each in enumerate(frames.lists):
        own = frames.signatures[frames.comparable & (frames.list_of == number)]
        report.repeats.append(int((nearest_twins(own, own, distance, "earlier")[0] != NO_TWIN).sum()))
        if not is_background(each):
            report.findings += _class_findings(report, number)
    report.findings.sort(key=lambda finding: KINDS.index(finding.kind))  # stable: in list order inside a kind
    return report


def is_background(frames: FileList) -> bool:
    """Whether a list holds frames without a class alone. Its twins of frames of a class are label conflicts."""
    return bool((frames.labels == UNKNOWN).all())


def _file_findings(frames: Frames) -> Iterator[Finding]:
    """The findings about single files."""
    rows, paths = frames.rows, frames.paths
    for at in np.flatnonzero(~frames.readable):
        status = FrameStatus(rows["status"][at])
        if status == FrameStatus.TRUNCATED:
            yield Finding("truncated", paths[at], detail="the data ends early")
        else:
            yield Finding("unreadable", paths[at], detail=status.name.lower().replace("_", " "))
    for at in np.flatnonzero(rows["problems"]):
        row = rows[at]
        if row["problems"] & Problem.WRONG_EXTENSION:
            yield Finding("wrong_extension", paths[at], detail="the content has another format than the name says")
        if row["problems"] & Problem.TOO_SMALL:
            yield Finding("too_small", paths[at], detail=f"{row['width']}x{row['height']}")
        if row["problems"] & Problem.UNUSUAL_MODE:
            yield Finding("unusual_mode", paths[at], detail=describe_mode(row))
    yield from _unusual_sizes(frames)


def _unusual_sizes(frames: Frames) -> Iterator[Finding]:
    """Frames of a size that hardly any other has; those that are too small are reported as such."""
    readable = np.flatnonzero(frames.readable)
    if not len(readable):
        return
    rows = frames.rows[readable]
    sizes = rows["width"].astype(np.uint64) << np.uint64(32) | rows["height"]
    distinct, which, held_by = np.unique(sizes, return_inverse=True, return_counts=True)
    usual = int(distinct[held_by.argmax()])
    rare = (held_by < RARE_SIZE * len(readable))[which] & (rows["problems"] & Problem.TOO_SMALL == 0)
    for at, row in zip(readable[rare], rows[rare], strict=True):
        detail = f"{row['width']}x{row['height']}, mostly {usual >> 32}x{usual & 0xFFFFFFFF}"
        yield Finding("unusual_size", frames.paths[at], detail=detail)


def _find_exact(report: Report) -> None:
    """Files of the same bytes: conflicts of class, copies in a list, copies of training frames in other lists.

    Only copies inside a list are left out here; the others are twins too, and left out with these.
    """
    frames = report.frames
    rows = np.flatnonzero(frames.comparable)
    digests = frames.rows["digest"][rows]
    order = np.lexsort((rows, digests[:, 1], digests[:, 0]))
    rows, digests = rows[order], digests[order]
    starts = np.flatnonzero(np.append(True, (digests[1:] != digests[:-1]).any(axis=1)))
    for group in np.split(rows, starts[1:]):
        if len(group) < 2:
            continue
        labels, lists = frames.labels[group], frames.list_of[group]
        conflict = labels != labels[0]
        if conflict.any():
            report.findings += [_conflict(report, at, group[0], "the same bytes") for at in group[conflict]]
        kept: dict[tuple[int, int], int] = {}
        for at, label, number in zip(group, labels, lists, strict=True):
            first = kept.setdefault((label, number), at)
            if first != at:
                report.left_out[at] = True
                report.findings.append(Finding("exact_duplicate", frames.paths[at], frames.paths[first]))
        if lists[0] == 0:
            report.findings += [
                Finding("duplicate_across_lists", frames.paths[at], frames.paths[group[0]]) for at in group[lists > 0]
            ]


def _find_near_conflicts(report: Report, distance: int) -> None:
    """Frames that look alike under two classes; pairs of the same bytes are known already."""
    frames = report.frames
    rows = np.flatnonzero(frames.comparable)
    own = frames.signatures[rows]
    twins, bits = nearest_twins(own, own, distance, "other_class")
    seen: set[tuple[int, int]] = set()
    for position in np.flatnonzero(twins != NO_TWIN):
        at, other = int(rows[position]), int(rows[twins[position]])
        unknown = [row for row in (at, other) if frames.labels[row] == UNKNOWN]
        report.left_out[unknown or [at, other]] = True  # a frame of a game stays
        same_bytes = (frames.rows["digest"][at] == frames.rows["digest"][other]).all()
        if (other, at) not in seen and not same_bytes:
            seen.add((at, other))
            report.findings.append(_conflict(report, at, other, f"alike, {bits[position]} of 64 bits differ"))


def _conflict(report: Report, at: int, other: int, how: str) -> Finding:
    frames = report.frames
    labels = [frames.labels[row] for row in (at, other)]
    here, there = (UNKNOWN_WORD if label == UNKNOWN else report.class_names[label] for label in labels)
    detail = f"{here!r} here, {there!r} there; {how}"
    return Finding("label_conflict", frames.paths[at], frames.paths[other], detail)


def _find_leakage(report: Report, distance: int, max_leakage: float) -> None:
    """Compare each list after the first with the first; list the twins where there are too many."""
    frames = report.frames
    training = np.flatnonzero(frames.comparable & (frames.list_of == 0))
    classes = len(report.class_names)
    for number, each in enumerate(frames.lists[1:], 1):
        if is_background(each):
            continue
        rows = np.flatnonzero(frames.comparable & (frames.list_of == number))
        twins, bits = nearest_twins(frames.signatures[rows], frames.signatures[training], distance)
        found = np.flatnonzero(twins != NO_TWIN)
        report.left_out[rows[found]] = True
        labels = frames.labels[rows]
        counted = (np.bincount(some[some >= 0], minlength=classes) for some in (labels, labels[found]))
        leakage = Leakage(str(each.source), *counted)
        report.leakage.append(leakage)
        if leakage.share <= max_leakage:
            continue
        detail = f"{100 * leakage.share:.2f}% ({len(found)} of {len(rows)}) have a twin in training"
        report.findings.append(Finding("leakage", leakage.name, str(frames.lists[0].source), detail))
        for position in found:
            at, other = rows[position], training[twins[position]]
            if (frames.rows["digest"][at] != frames.rows["digest"][other]).any():
                detail = f"{bits[position]} of 64 bits differ"
                finding = Finding("near_duplicate_across_lists", frames.paths[at], frames.paths[other], detail)
                report.findings.append(finding)


def _class_findings(report: Report, number: int) -> Iterator[Finding]:
    """Classes without frames in a list, and in the training list those with very few."""
    frames = report.frames.lists[number]
    counts = np.bincount(frames.labels[frames.labels >= 0], minlength=len(report.class_names))
    median = float(np.median(counts[counts > 0]))
    for name, count in zip(report.class_names, counts, strict=True):
        if count == 0:
            yield Finding("class_without_frames", name, str(frames.source))
        elif number == 0 and count < IMBALANCE * median:
            detail = f"{count} frames; the median of all classes is {median:g}"
            yield Finding("imbalance", name, str(frames.source), detail)

"""Problems in the label files of a detector's lists."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from game_classifier.checks.findings import Finding
from game_classifier.lists.filelist import FileList
from game_classifier.lists.folders import is_image_name
from game_classifier.lists.label_files import IMAGES, LABELS, LabelProblem, label_path, parse_labels
from game_classifier.lists.lines import read_lines

OVERHANG = 0.01  # share of a side by which a box may reach beyond the picture: rounding, and no mistake


def box_findings(lists: Sequence[FileList], class_names: Sequence[str]) -> Iterator[Finding]:
    """Look at the label file of every frame; the first list is the training list."""
    for number, frames in enumerate(lists):
        seen: set[int] = set()
        for path in frames.paths:
            labels = label_path(path)
            if not labels.exists():
                detail = f"no {labels}; the frame counts as background"
                yield Finding("image_without_labels", path, detail=detail)
                continue
            yield from _file_findings(labels, len(class_names), seen)
        if number == 0:
            for label, name in enumerate(class_names):
                if label not in seen:
                    yield Finding("class_without_boxes", name, str(frames.source))
    yield from _labels_without_image(lists)


def _file_findings(labels: Path, num_classes: int, seen: set[int]) -> Iterator[Finding]:
    """The findings of a label file; adds its classes to `seen`."""
    first: dict[tuple[float, ...], int] = {}
    for item in parse_labels(read_lines(labels), num_classes):
        if isinstance(item, LabelProblem):
            yield Finding(item.kind, str(labels), detail=f"line {item.line}: {item.reason}")
            continue
        line, label, *box = item
        seen.add(label)
        cx, cy, width, height = box
        overhang = max(width / 2 - cx, height / 2 - cy, cx + width / 2 - 1, cy + height / 2 - 1)
        if overhang > OVERHANG:
            detail = f"line {line}: the box reaches beyond the picture by {100 * overhang:.1f}% of a side"
            yield Finding("box_outside", str(labels), detail=detail)
        earlier = first.setdefault((label, *box), line)
        if earlier != line:
            yield Finding("box_doubled", str(labels), detail=f"line {line} is line {earlier} again")


def _labels_without_image(lists: Sequence[FileList]) -> Iterator[Finding]:
    """Label files in the folders of the lists' labels whose picture is not there."""
    folders = {label_path(path).parent: Path(path).parent for frames in lists for path in frames.paths}
    for labels, images in sorted(folders.items()):
        if LABELS not in labels.parts or IMAGES not in images.parts or not labels.is_dir():
            continue  # beside the images, any text file may lie
        stems = {path.stem for path in images.iterdir() if is_image_name(path.name)}
        for path in sorted(labels.glob("*.txt")):
            if path.stem not in stems:
                yield Finding("labels_without_image", str(path), detail=f"no image of this name in {images}")

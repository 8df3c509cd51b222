"""The videos of a folder or a list, and the folder that each one's timeline goes into."""

import os
from pathlib import Path

from game_classifier.errors import InputError
from game_classifier.lists.lines import read_lines

# Here the name decides whether a file is a video; what it holds is found when it is opened.
VIDEO_SUFFIXES = tuple(
    ".3gp .avi .flv .m2ts .m4v .mkv .mov .mp4 .mpeg .mpg .mts .mxf .ogv .ts .vob .webm .wmv".split()  # noqa: SIM905
)


def is_many(source: Path) -> bool:
    """Whether it is a folder or a list of videos."""
    return source.is_dir() or (source.suffix == ".txt" and source.is_file())


def find_videos(source: Path) -> dict[str, Path]:
    """Name -> path of each video in and below a folder, or of each line of a list, sorted by name.

    The name is the path relative to the folder, or to the folder that all videos of a list lie in. Relative paths in a
    list start at the list's own folder. Hidden files and folders are skipped. Raises InputError if there is no video,
    or if a video of the list is missing.
    """
    if source.is_dir():
        found = []
        for folder, subfolders, files in os.walk(source, followlinks=True):
            subfolders[:] = [name for name in subfolders if not name.startswith(".")]
            paths = (Path(folder) / name for name in files if not name.startswith("."))
            found += [path for path in paths if path.suffix.lower() in VIDEO_SUFFIXES]
        if not found:
            raise InputError(f"{source}: no video in it; videos end in {' '.join(VIDEO_SUFFIXES)}")
        return {path.relative_to(source).as_posix(): path for path in sorted(found)}
    listed = [_listed(source, number, line) for number, line in enumerate(read_lines(source), 1)]
    if not listed:
        raise InputError(f"{source}: is empty; write the path of one video in each line")
    common = Path(os.path.commonpath([path.parent for path in listed]))
    return {path.relative_to(common).as_posix(): path for path in sorted(set(listed))}


def _listed(source: Path, number: int, line: str) -> Path:
    path = Path(os.path.normpath(source.absolute().parent / line))
    if not line.strip() or not path.is_file():
        what = f"{path}: no such file" if line.strip() else "is blank"
        raise InputError(f"{source}:{number}: {what}; write the path of one video in each line")
    return path

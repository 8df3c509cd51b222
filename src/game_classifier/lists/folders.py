"""Class folders: one folder for each class, with its images in it or in folders below it."""

import os
from collections.abc import Iterable
from pathlib import Path

from game_classifier.errors import InputError

# Here the name decides whether a file is an image; its real content is found when it is read.
IMAGE_SUFFIXES = frozenset(
    [
        ".jpg",
        ".jpeg",
        ".jpe",
        ".jfif",
        ".png",
        ".webp",
        ".bmp",
        ".gif",
        ".tif",
        ".tiff",
        ".ppm",
        ".pgm",
        ".avif",
        ".jp2",
        ".tga",
    ]
)


def list_class_folders(source: Path) -> dict[str, list[str]]:
    """Return {class name: its images' paths relative to `source`, with `/`}, all sorted by code point.

    Directory order differs between machines, hence the sorting. Hidden files and folders are skipped.
    Raises InputError when `source` is no folder, holds no class folder or a broken link, or a class holds no image.
    """
    if not source.is_dir():
        raise InputError(f"{source}: no such folder; give a folder with one folder of images for each class")
    names = sorted(entry.name for entry in source.iterdir() if entry.is_dir() and not entry.name.startswith("."))
    if not names:
        raise InputError(f"{source}: holds no class folders; it needs one folder of images for each class")
    classes = {name: [f"{name}/{image}" for image in list_images(source / name)] for name in names}
    empty = [name for name, images in classes.items() if not images]
    if empty:
        raise InputError(
            f"{source / empty[0]}: class folder with no images{_and_others(empty)}; add images or remove the folder"
        )
    require_files(str(source / image) for images in classes.values() for image in images)
    return classes


def list_images(source: Path) -> list[str]:
    """Return the paths of all images in and below `source`, relative to it, with `/`, sorted by code point.

    Links to folders are followed; InputError for one to a folder that holds it, whose images would have no end.
    """
    images = []
    for folder, subfolders, files in os.walk(source, followlinks=True):
        subfolders[:] = [name for name in subfolders if not name.startswith(".")]
        for name in subfolders:
            link = Path(folder, name)
            if link.is_symlink() and link.parent.resolve().is_relative_to(link.resolve()):
                raise InputError(f"{link}: a link to a folder that holds this link; remove it")
        relative = Path(folder).relative_to(source)
        images += [(relative / name).as_posix() for name in files if is_image_name(name)]
    return sorted(images)


def require_files(paths: Iterable[str]) -> None:
    """Raise InputError for a link to a file that is gone, which a folder lists like any other."""
    for path in paths:
        if not Path(path).exists():
            raise InputError(f"{path}: a link to a file that is gone; restore that file, or remove the link")


def is_image_name(path: str) -> bool:
    """Whether a file is an image by its name, and not hidden."""
    name = path.rpartition("/")[2]
    return not name.startswith(".") and Path(name).suffix.lower() in IMAGE_SUFFIXES


def _and_others(names: list[str]) -> str:
    return f" (and {len(names) - 1} more such classes)" if len(names) > 1 else ""

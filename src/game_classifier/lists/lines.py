"""Reading the text files that users bring: class lists and file lists."""

from pathlib import Path

from game_classifier.errors import InputError


def read_lines(path: Path) -> list[str]:
    """Return the lines of a UTF-8 text file without their ends (`\\n` or `\\r\\n`).

    Bytes that are not UTF-8 are kept as surrogates, as Python keeps them in file names, so that a list can
    name any file. Only line feeds end a line: `str.splitlines` would also cut at characters that names may
    hold.
    """
    if path.is_dir():
        raise InputError(f"{path}: is a folder, not a list; give the file in it")
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; tool/get_annotation.py writes the lists of a data set") from None
    if b"\0" in data[:64]:  # an image, an archive, or UTF-16; a path further on may be anything
        raise InputError(f"{path}: not a text file in UTF-8; give a list, or save it in UTF-8")
    text = data.decode("utf-8-sig", "surrogateescape")
    lines = text.removesuffix("\n").split("\n") if text else []
    return [line.removesuffix("\r") for line in lines]

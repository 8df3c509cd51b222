"""Whatever a file holds, its row is there, in its place, with its reason, and the run goes on."""

import io
import os
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from conftest import draw_frame

from game_classifier.frames.decode import FrameStatus
from game_classifier.frames.files import MAX_BYTES
from game_classifier.lists.filelist import read_file_list
from game_classifier.predict.open_lists import predict_lists
from game_classifier.predict.predict_list import Predictor
from game_classifier.predict.results import collect
from game_classifier.runtime.runner import load_runner

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "PPM", "TGA", "ICO", "JPEG2000", "PCX", "SGI", "DDS")
MODES = ("1", "L", "P", "RGB", "RGBA", "LA", "CMYK", "I;16", "I", "F", "YCbCr", "HSV")
DAMAGES = 12  # of each file that Pillow can write


def written() -> dict[str, bytes]:
    """A frame in every format and mode that Pillow writes."""
    files = {}
    for kind in FORMATS:
        for mode in MODES:
            buffer = io.BytesIO()
            try:
                draw_frame(0, 0, (48, 32)).convert("RGB").convert(mode).save(buffer, format=kind)
            except (OSError, ValueError, KeyError):
                continue
            files[f"{kind} {mode}"] = buffer.getvalue()
    return files


def damaged(data: bytes, random: np.random.Generator) -> bytes:
    """Cut short, with bytes changed, with a part left out, or with other bytes in front."""
    changed = bytearray(data)
    way = random.integers(4)
    if way == 0:
        return bytes(changed[: random.integers(len(data))])
    if way == 1:
        for _ in range(random.integers(1, 20)):
            changed[random.integers(len(data))] = random.integers(256)
        return bytes(changed)
    start, end = sorted(random.integers(len(data), size=2))
    return bytes(changed[:start] + changed[end:]) if way == 2 else random.bytes(5) + data


def png_bomb(side: int) -> bytes:
    """A few kilobytes that say they are `side` squared pixels."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")
    )


def special_files(folder: Path) -> dict[bytes, int]:
    """Things that are no whole image, by name, with the status that each must get."""
    (folder / "folder.jpg").mkdir()
    (folder / "link.jpg").symlink_to(folder / "nowhere.jpg")
    (folder / "loop.jpg").symlink_to(folder / "loop.jpg")
    os.mkfifo(folder / "pipe.jpg")
    (folder / "zero.jpg").symlink_to("/dev/zero")
    (folder / "empty.jpg").touch()
    (folder / "text.jpg").write_text("<html>404</html>" * 50)
    (folder / "bomb.png").write_bytes(png_bomb(60_000))
    with (folder / "huge.jpg").open("wb") as file:  # a hole, which takes no disk
        file.truncate(MAX_BYTES + 1)
    return {
        b"folder.jpg": FrameStatus.UNREADABLE,
        b"link.jpg": FrameStatus.MISSING,
        b"loop.jpg": FrameStatus.UNREADABLE,
        b"pipe.jpg": FrameStatus.UNREADABLE,
        b"zero.jpg": FrameStatus.UNREADABLE,
        b"empty.jpg": FrameStatus.EMPTY,
        b"text.jpg": FrameStatus.NOT_AN_IMAGE,
        b"bomb.png": FrameStatus.TOO_LARGE,
        b"huge.jpg": FrameStatus.TOO_LARGE,
        b"never there.jpg": FrameStatus.MISSING,
        b"a" * 300 + b".jpg": FrameStatus.UNREADABLE,  # longer than a name may be
        b"nul\0byte.jpg": FrameStatus.UNREADABLE,
    }


@pytest.fixture
def unreadable(tmp_path) -> dict[bytes, int]:
    """A file without permission to read, where this user needs any."""
    path = tmp_path / "forbidden.jpg"
    path.write_bytes(b"x")
    path.chmod(0)
    return {} if os.access(path, os.R_OK) else {b"forbidden.jpg": FrameStatus.UNREADABLE}


@pytest.mark.filterwarnings("ignore::UserWarning:PIL")
def test_no_file_ends_a_run_or_moves_a_row(tmp_path, either, unreadable):
    random = np.random.default_rng(0)
    good = draw_frame(1, 500, (160, 90))
    expected = special_files(tmp_path) | unreadable
    names: list[bytes] = list(expected)
    for kind, data in written().items():
        for number in range(DAMAGES + 1):
            name = f"{kind} {number}".encode() + (b" \xff\xfe\n"[:3] if number % 3 == 0 else b"") + b".jpg"
            with open(os.fsencode(tmp_path) + b"/" + name, "wb") as file:  # noqa: PTH123  any bytes in the name
                file.write(damaged(data, random) if number else data)
            names.append(name)
            if number == 0:
                unsupported = kind in ("TIFF F", "PPM F")  # 32-bit floats; other formats kept bytes of it
                expected[name] = FrameStatus.UNSUPPORTED if unsupported else FrameStatus.OK
    good.save(tmp_path / "good.png")
    lines = [each for name in names for each in (name, b"good.png")]
    (tmp_path / "all.txt").write_bytes(b"".join(line + b"\n" for line in lines))
    predict_lists(
        [read_file_list(tmp_path / "all.txt", 3)], Predictor(load_runner(either.best, "cpu"), 2, 16), tmp_path / "save"
    )
    table = np.load(tmp_path / "save" / "all.npy")
    assert len(table) == len(lines) > 500
    assert table["status"][1] == FrameStatus.OK
    status = dict(zip(names, table["status"][::2], strict=True))
    wrong = {name: FrameStatus(status[name]) for name in expected if status[name] != expected[name]}
    assert wrong == {}
    assert set(status.values()) >= {0, 1, 2, 3, 4, 5, 6, 7}
    collect(tmp_path / "save").write(tmp_path / "results")
    not_read = table["status"] != FrameStatus.OK
    if "first" in table.dtype.names:
        boxes = np.load(tmp_path / "save" / "all.boxes.npy")
        assert not table["count"][not_read].any()
        assert (boxes["row"] == np.repeat(np.arange(len(table)), table["count"])).all()
        every = boxes[[name for name in boxes.dtype.names if name != "row"]]
        good = {repr(every[row["first"] : row["first"] + row["count"]].tolist()) for row in table[1::2]}
        assert len(good) == 1
        assert np.isfinite(boxes["score"]).all()
        return
    assert {row.tobytes() for row in table[1::2]} == {table[1].tobytes()}
    assert (table["pred"][not_read] == -1).all()
    assert not table["probs"][not_read].any()
    assert np.isfinite(table["probs"]).all()

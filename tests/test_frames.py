import io
import struct
import zlib

import numpy as np
import pytest
import torch
from PIL import Image

from game_classifier.frames.decode import (
    RESIZE_MODES,
    FrameError,
    FrameStatus,
    Preprocessing,
    decode,
    read_frame,
    resize_frames,
)

# Four quarters of flat colour survive JPEG and any resize, and show a turned or mirrored picture.
QUARTERS = np.array([[[250, 10, 10], [10, 250, 10]], [[10, 10, 250], [240, 240, 20]]], np.uint8)
NATIVE = Preprocessing(64, 96)
KINDS = "jpeg progressive 444 png webp bmp tiff palette gif rgba cmyk-jpeg cmyk-tiff grey-jpeg grey-png grey-alpha"


def picture(height: int = 64, width: int = 96) -> Image.Image:
    return Image.fromarray(QUARTERS.repeat(height // 2, axis=0).repeat(width // 2, axis=1))


def encoded(image: Image.Image, kind: str, **options) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def corners(frame: np.ndarray) -> np.ndarray:
    """The colours in the middle of the four quarters."""
    height, width, _ = frame.shape
    return frame[np.ix_([height // 4, 3 * height // 4], [width // 4, 3 * width // 4])].astype(int)


def status_of(data: bytes) -> FrameStatus:
    with pytest.raises(FrameError) as error:
        decode(data, NATIVE)
    return error.value.status


def grey(image: Image.Image) -> np.ndarray:
    return corners(np.asarray(image.convert("L").convert("RGB")))


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (encoded(picture(), "JPEG", quality=95), QUARTERS),
        (encoded(picture(), "JPEG", quality=95, progressive=True), QUARTERS),
        (encoded(picture(), "JPEG", quality=95, subsampling=0), QUARTERS),
        (encoded(picture(), "PNG"), QUARTERS),
        (encoded(picture(), "WEBP", quality=95), QUARTERS),
        (encoded(picture(), "BMP"), QUARTERS),
        (encoded(picture(), "TIFF"), QUARTERS),
        (encoded(picture().convert("P", palette=Image.Palette.ADAPTIVE), "PNG"), QUARTERS),
        (encoded(picture().convert("P", palette=Image.Palette.ADAPTIVE), "GIF"), QUARTERS),
        (encoded(picture().convert("RGBA"), "PNG"), QUARTERS),
        (encoded(picture().convert("CMYK"), "JPEG", quality=95), QUARTERS),
        (encoded(picture().convert("CMYK"), "TIFF"), QUARTERS),
        (encoded(picture().convert("L"), "JPEG", quality=95), grey(picture())),
        (encoded(picture().convert("L"), "PNG"), grey(picture())),
        (encoded(picture().convert("LA"), "PNG"), grey(picture())),
    ],
    ids=KINDS.split(),
)
def test_each_kind_of_image_is_read_rightly(data, expected):
    frame = decode(data, NATIVE)
    assert frame.shape == (64, 96, 3)
    assert frame.dtype == np.uint8
    assert np.abs(corners(frame) - expected.astype(int)).max() <= 12


def test_sixteen_bits_keep_their_range():
    values = np.linspace(0, 65535, 64 * 96).astype(np.uint16).reshape(64, 96)
    frame = decode(encoded(Image.fromarray(values), "PNG"), NATIVE)
    np.testing.assert_array_equal(frame, np.repeat((values >> 8)[:, :, None], 3, axis=2))


def test_transparent_pixels_are_black():
    image = picture().convert("RGBA")
    image.putalpha(0)
    assert decode(encoded(image, "PNG"), NATIVE).max() == 0


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_rotation_is_undone(kind, orientation):
    turned_by = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,  # undone by a quarter turn clockwise
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }
    stored = picture().transpose(turned_by[orientation]) if orientation > 1 else picture()
    exif = Image.Exif()
    exif[0x0112] = orientation
    frame = decode(encoded(stored, kind, exif=exif, quality=95), NATIVE)
    assert frame.shape == (64, 96, 3)
    assert np.abs(corners(frame) - QUARTERS.astype(int)).max() <= 12


def test_the_content_decides_not_the_name(tmp_path):
    (tmp_path / "really_a_png.jpg").write_bytes(encoded(picture(), "PNG"))
    (tmp_path / "really_a_jpeg.png").write_bytes(encoded(picture(), "JPEG", quality=95))
    for path in tmp_path.iterdir():
        assert np.abs(corners(read_frame(path, NATIVE)) - QUARTERS.astype(int)).max() <= 12


def test_what_cannot_be_read_says_why(tmp_path):
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 96, 3), dtype=np.uint8))
    jpeg, png = encoded(noise, "JPEG"), encoded(noise, "PNG")
    assert status_of(b"") is FrameStatus.EMPTY
    assert status_of(b"just text, " * 20) is FrameStatus.NOT_AN_IMAGE
    for data in (jpeg, png):
        for share in (0.3, 0.6, 0.9):
            assert status_of(data[: int(len(data) * share)]) is FrameStatus.TRUNCATED
    damaged = bytearray(jpeg)
    damaged[len(jpeg) // 2 : len(jpeg) // 2 + 400] = bytes(400)
    assert status_of(bytes(damaged)) is FrameStatus.CORRUPT
    assert status_of(encoded(Image.new("F", (8, 8)), "TIFF")) is FrameStatus.UNSUPPORTED
    with pytest.raises(FrameError, match="missing"):
        read_frame(tmp_path / "gone.jpg", NATIVE)
    with pytest.raises(FrameError, match="unreadable"):
        read_frame(tmp_path, NATIVE)
    with pytest.raises(FrameError, match="unreadable"):
        read_frame("a\0b.jpg", NATIVE)


def test_a_decompression_bomb_is_refused_before_it_is_unpacked():
    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    png = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0")) + chunk(b"IEND", b"")
    assert status_of(png) is FrameStatus.TOO_LARGE
    jpeg = bytearray(encoded(picture(), "JPEG"))
    sizes = jpeg.index(b"\xff\xc0") + 5
    jpeg[sizes : sizes + 4] = struct.pack(">HH", 65_000, 65_000)
    assert status_of(bytes(jpeg)) is FrameStatus.TOO_LARGE


@pytest.mark.parametrize(
    ("size", "resize", "decoded"),
    [
        (128, "squash", (180, 320)),
        (180, "squash", (180, 320)),
        (181, "squash", (360, 640)),
        (224, "squash", (360, 640)),
        (400, "squash", (720, 1280)),
        (320, "letterbox", (180, 320)),
        (128, "center_crop", (180, 320)),
        (224, "center_crop", (360, 640)),
    ],
)
def test_a_large_jpeg_is_decoded_at_the_smallest_fast_scale_that_suffices(size, resize, decoded):
    data = encoded(picture(720, 1280), "JPEG")
    assert decode(data, Preprocessing(size, size, resize)).shape[:2] == decoded


def test_reduced_decoding_and_resizing_give_what_a_full_decode_gives():
    random = np.random.default_rng(1)
    smooth = Image.fromarray(random.integers(0, 256, (36, 64, 3), dtype=np.uint8)).resize((1280, 720))
    data = encoded(smooth, "JPEG", quality=90)
    reduced = torch.from_numpy(decode(data, Preprocessing(128, 128))).permute(2, 0, 1)[None]
    ours = resize_frames(reduced, 128, 128, "squash")[0].permute(1, 2, 0).numpy().astype(int)
    full = np.asarray(Image.open(io.BytesIO(data)).resize((128, 128), Image.Resampling.BILINEAR)).astype(int)
    assert np.abs(ours - full).mean() < 1
    assert np.abs(ours - full).max() <= 12


def test_the_resize_is_pillows_within_one_level():
    random = np.random.default_rng(2)
    frame = random.integers(0, 256, (90, 160, 3), dtype=np.uint8)
    ours = resize_frames(torch.from_numpy(frame).permute(2, 0, 1)[None], 48, 64, "squash")[0].permute(1, 2, 0)
    pillow = Image.fromarray(frame).resize((64, 48), Image.Resampling.BILINEAR)
    assert np.abs(ours.numpy().astype(int) - np.asarray(pillow).astype(int)).max() <= 1


def test_letterbox_keeps_the_shape_and_pads_with_black():
    white = torch.full((1, 3, 72, 128), 255, dtype=torch.uint8)
    boxed = resize_frames(white, 64, 64, "letterbox")[0, 0]
    assert boxed.shape == (64, 64)
    assert (boxed[14:50] == 255).all()
    assert boxed[:14].max() == 0
    assert boxed[50:].max() == 0


def test_center_crop_cuts_both_ends_of_the_longer_side():
    ramp = torch.arange(128, dtype=torch.uint8).repeat(72, 1)[None, None].expand(1, 3, 72, 128)
    cut = resize_frames(ramp, 72, 72, "center_crop")[0, 0]
    np.testing.assert_array_equal(cut[0], np.arange(28, 100))


@pytest.mark.parametrize("resize", RESIZE_MODES)
@pytest.mark.parametrize("shape", [(72, 128), (128, 72), (31, 200), (64, 64)])
def test_a_resized_frame_is_not_changed_by_resizing_again(resize, shape):
    random = torch.Generator().manual_seed(0)
    pixels = torch.randint(0, 256, (2, 3, *shape), dtype=torch.uint8, generator=random)
    once = resize_frames(pixels, 64, 64, resize)
    assert once.shape == (2, 3, 64, 64)
    assert torch.equal(resize_frames(once, 64, 64, resize), once)
    assert torch.equal(torch.jit.script(resize_frames)(pixels, 64, 64, resize), once)


def test_preprocessing_survives_plain_values():
    one = Preprocessing(90, 160, "letterbox", (0.5, 0.5, 0.5), (0.2, 0.3, 0.4))
    assert Preprocessing.from_dict(one.to_dict()) == one

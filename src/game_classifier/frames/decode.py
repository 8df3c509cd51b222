"""From the bytes of a file to a uint8 frame of the network's size: the only place that decodes or resizes."""

import io
import warnings
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import simplejpeg
import torch
import torch.nn.functional as F
from PIL import Image, ImageOps, UnidentifiedImageError
from torch import Tensor

from game_classifier.frames.files import read_file
from game_classifier.frames.status import FrameError, FrameStatus

MAX_PIXELS = 2**27  # 134 megapixels: eight times a 4K frame; larger files are decompression bombs
# Pillow's own limit, and its remarks on damaged files, go to standard error; ours are in the row's status.
Image.MAX_IMAGE_PIXELS = None
warnings.filterwarnings("ignore", category=UserWarning, module="PIL")
EXIF_ORIENTATION = 0x0112
# Divisors of a JPEG's size at which libjpeg-turbo is fast and frames stay fit to learn from.
SCALES = (4, 2, 1)
RESIZE_MODES = ("squash", "letterbox", "center_crop")
# Means and standard deviations of RGB in ImageNet, range 0..1, which pretrained networks expect.
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


@dataclass(frozen=True)
class Preprocessing:
    """The preprocessing between a frame and the network; stored in checkpoints and deployed files."""

    height: int
    width: int
    resize: str = "squash"  # one of RESIZE_MODES
    mean: tuple[float, ...] = IMAGENET_MEAN  # of RGB in 0..1
    std: tuple[float, ...] = IMAGENET_STD

    def normalization(self) -> tuple[np.ndarray, np.ndarray]:
        """(mean, scale), float32 [3] each: the network's input is (frame - mean) * scale, of a frame in 0..255."""
        mean, std = (np.array(values, np.float64) * 255 for values in (self.mean, self.std))
        return mean.astype(np.float32), (1 / std).astype(np.float32)

    def in_words(self) -> str:
        """The preprocessing in words, for programs that do it themselves."""
        size = f"{self.height}x{self.width}"
        preparation = {
            "squash": f"both sides scaled to {size}",
            "letterbox": f"scaled to fit {size} in their own shape, centred, padded with black",
            "center_crop": f"scaled to cover {size} in their own shape, the middle cut out",
        }[self.resize]
        return f"{preparation}, bilinear with antialiasing (as Pillow's BILINEAR), rounded to uint8"

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON and checkpoints."""
        values = asdict(self)
        return values | {"mean": list(self.mean), "std": list(self.std)}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "Preprocessing":
        """The inverse of `to_dict`."""
        return cls(**values | {"mean": tuple(values["mean"]), "std": tuple(values["std"])})


WHOLE = Preprocessing(1, 1)  # any frame suffices for it


@dataclass(frozen=True)
class Header:
    """The header of an image file."""

    format: str  # Pillow's name for it: "JPEG", "PNG" ...
    mode: str  # Pillow's name for the pixels as stored: "YCbCr", "L", "RGB", "CMYK", "P", "I;16" ...
    width: int  # as stored, before any rotation
    height: int
    rotated: bool  # EXIF says that the picture lies on its side, on its head, or is mirrored


def read_frame(path: str | Path, preprocessing: Preprocessing) -> np.ndarray:
    """Read an image file as uint8 RGB [height, width, 3]; raises FrameError and nothing else."""
    return decode_resized(read_file(path), preprocessing)


def decode_resized(data: bytes, preprocessing: Preprocessing) -> np.ndarray:
    """Decode an image file's bytes and resize, to uint8 RGB [height, width, 3]; raises FrameError."""
    return decode_with_size(data, preprocessing)[0]


def decode_with_size(data: bytes, preprocessing: Preprocessing) -> tuple[np.ndarray, tuple[int, int]]:
    """`decode_resized`, and the (height, width) of the whole picture, upright, whatever the scale it is decoded at."""
    pixels, _, size = _decode(data, preprocessing, SCALES, "RGB")
    return resize_frame(pixels, preprocessing), size


def resize_frame(frame: np.ndarray, preprocessing: Preprocessing) -> np.ndarray:
    """Resize one frame, uint8 RGB [H, W, 3], to uint8 RGB [height, width, 3]."""
    # A batch before it is permuted: torch sees that it is channels_last, and need not reorder the result.
    pixels = torch.from_numpy(frame)[None].permute(0, 3, 1, 2)
    pixels = resize_frames(pixels, preprocessing.height, preprocessing.width, preprocessing.resize)
    return pixels[0].permute(1, 2, 0).contiguous().numpy()


def read_whole_frame(path: str | Path) -> np.ndarray:
    """Read an image file as uint8 RGB [H, W, 3] at its full size; raises FrameError and nothing else."""
    return _decode(read_file(path), WHOLE, (1,), "RGB")[0]


def read_size(path: str | Path) -> tuple[int, int]:
    """(height, width) of an image file, upright, from its header alone; raises FrameError and nothing else.

    A damaged file may have a header that can be read.
    """
    data = read_file(path)
    if not data:
        raise FrameError(FrameStatus.EMPTY)
    try:
        if data.startswith(b"\xff\xd8") and not _has_exif(data):
            height, width, *_ = simplejpeg.decode_jpeg_header(data)
            return height, width
        with Image.open(io.BytesIO(data)) as image:
            # Pillow decodes a PNG in search of EXIF behind the pixels, where no program known here puts it.
            exif = image.getexif() if image.format != "PNG" or "exif" in image.info else {}
            on_its_side = exif.get(EXIF_ORIENTATION, 1) >= 5
            return (image.width, image.height) if on_its_side else (image.height, image.width)
    except UnidentifiedImageError:
        raise FrameError(FrameStatus.NOT_AN_IMAGE) from None
    except Exception:  # decoders raise many types on hostile bytes; none may end a run
        raise FrameError(FrameStatus.CORRUPT) from None


def decode(data: bytes, preprocessing: Preprocessing) -> np.ndarray:
    """Decode an image file's bytes to uint8 RGB [H, W, 3], upright.

    A JPEG much larger than the network's input comes at 1/2 or 1/4 of its size, never smaller than what
    `preprocessing` resizes to. The format is judged by the content, never by the file's name.
    Raises FrameError.
    """
    return _decode(data, preprocessing, SCALES, "RGB")[0]


def look_at(data: bytes, preprocessing: Preprocessing) -> tuple[np.ndarray, Header]:
    """Decode an image file's bytes to its greys uint8 [H, W, 1], in the cheapest way that reads all pixels.

    Greys are the weighted sums of ITU-R BT.601, which a JPEG stores as they are. A JPEG comes at 1/8 of its size
    where that suffices for what `preprocessing` resizes to: the means of 8x8 blocks, a fifth cheaper than 1/4.
    All its data is still read, so that damage anywhere is found. Returns its header too. Raises FrameError.
    """
    return _decode(data, preprocessing, (8, *SCALES), "L")[:2]


# Pixels, the file's header, and (height, width) of the whole picture, upright.
Decoded = tuple[np.ndarray, Header, tuple[int, int]]


def _decode(data: bytes, preprocessing: Preprocessing, scales: tuple[int, ...], mode: Literal["RGB", "L"]) -> Decoded:
    if not data:
        raise FrameError(FrameStatus.EMPTY)
    decoded = _decode_jpeg(data, preprocessing, scales, mode) if data.startswith(b"\xff\xd8") else None
    return decoded or _decode_with_pillow(data, mode)


def _decode_jpeg(data: bytes, preprocessing: Preprocessing, scales: tuple[int, ...], mode: str) -> Decoded | None:
    """Decode with libjpeg-turbo; None for what Pillow must read: CMYK, rotated by EXIF, rare variants."""
    try:
        height, width, colorspace, _ = simplejpeg.decode_jpeg_header(data)
    except ValueError:
        return None
    if height * width > MAX_PIXELS:
        raise FrameError(FrameStatus.TOO_LARGE)
    if colorspace in ("CMYK", "YCCK") or _is_rotated(data):
        return None
    least = resized_size(height, width, preprocessing.height, preprocessing.width, preprocessing.resize)
    for scale in scales:
        scaled = -(-height // scale), -(-width // scale)
        if scaled[0] >= least[0] and scaled[1] >= least[1]:
            break
    colours = "GRAY" if mode == "L" else mode
    try:
        pixels = simplejpeg.decode_jpeg(data, colours, min_height=scaled[0], min_width=scaled[1])
    except ValueError as error:
        # libjpeg only warns of damaged data and paints grey; a frame that is partly invented is no frame.
        truncated = "Premature end" in str(error)
        raise FrameError(FrameStatus.TRUNCATED if truncated else FrameStatus.CORRUPT) from None
    header = Header("JPEG", "L" if colorspace == "Gray" else colorspace, width, height, rotated=False)
    return pixels, header, (height, width)


def _is_rotated(data: bytes) -> bool:
    if not _has_exif(data):
        return False
    try:
        return Image.open(io.BytesIO(data)).getexif().get(EXIF_ORIENTATION, 1) != 1
    except Exception:  # a broken EXIF block does not spoil the picture
        return False


def _has_exif(data: bytes) -> bool:
    """Whether a JPEG has EXIF before its pixels; walking the segments is faster than a search in all bytes."""
    position = 2
    while data[position : position + 1] == b"\xff":
        marker = data[position + 1 : position + 2]
        if marker == b"\xff":  # a fill byte
            position += 1
            continue
        if marker == b"\xda":  # the pixels begin
            return False
        if data[position + 4 : position + 10] == b"Exif\0\0":
            return True
        position += 2 + int.from_bytes(data[position + 2 : position + 4], "big")
    return False


def _decode_with_pillow(data: bytes, mode: str) -> Decoded:
    try:
        with Image.open(io.BytesIO(data)) as image:
            shape = image.format or "", image.mode, image.width, image.height
            if image.width * image.height > MAX_PIXELS:
                raise FrameError(FrameStatus.TOO_LARGE)
            image.load()
            header = Header(*shape, image.getexif().get(EXIF_ORIENTATION, 1) != 1)
            upright = ImageOps.exif_transpose(image)
        pixels = _to_rgb(upright)
        size = pixels.shape[0], pixels.shape[1]
        return pixels if mode == "RGB" else np.array(Image.fromarray(pixels).convert("L"))[:, :, None], header, size
    except FrameError:
        raise
    except UnidentifiedImageError:
        raise FrameError(FrameStatus.NOT_AN_IMAGE) from None
    except Exception as error:  # decoders raise many types on hostile bytes; none may end a run
        truncated = "truncated" in str(error).lower()
        raise FrameError(FrameStatus.TRUNCATED if truncated else FrameStatus.CORRUPT) from None


def _to_rgb(image: Image.Image) -> np.ndarray:
    """Convert any mode to uint8 RGB: 16-bit greys keep their high byte, transparency shows black."""
    if image.mode == "F":
        raise FrameError(FrameStatus.UNSUPPORTED)
    if image.mode.startswith("I"):  # Pillow's own conversion clips at 255 instead of scaling
        grey = np.asarray(image)
        if grey.min() < 0 or grey.max() > 0xFFFF:
            raise FrameError(FrameStatus.UNSUPPORTED)
        return np.repeat((grey >> 8).astype(np.uint8)[:, :, None], 3, axis=2)
    if image.has_transparency_data:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, (0, 0, 0, 255)), image)
    return np.array(image.convert("RGB"))


def resized_size(height: int, width: int, to_height: int, to_width: int, resize: str) -> tuple[int, int]:
    """(height, width) a frame is scaled to before padding or cropping to `to_height` x `to_width`."""
    if resize == "squash":
        return to_height, to_width
    if resize == "letterbox":
        scale = min(to_height / height, to_width / width)
        return max(1, min(to_height, int(height * scale + 0.5))), max(1, min(to_width, int(width * scale + 0.5)))
    scale = max(to_height / height, to_width / width)
    return max(to_height, int(height * scale + 0.5)), max(to_width, int(width * scale + 0.5))


def resize_frames(frames: Tensor, height: int, width: int, resize: str) -> Tensor:
    """Resize uint8 frames [N, 3, H, W] to uint8 [N, 3, height, width], bilinear with antialiasing.

    squash scales both sides, letterbox keeps the shape and pads with black, center_crop keeps the shape
    and cuts. Frames of the right size come back as they are, in each mode. TorchScript compiles this
    function into the deploy file, so that a C++ service resizes exactly as training did.
    """
    if frames.shape[2] == height and frames.shape[3] == width:
        return frames
    size = resized_size(frames.shape[2], frames.shape[3], height, width, resize)
    if frames.is_cuda:  # CUDA has no uint8 kernel; rounding its float result is the same within one level
        scaled = F.interpolate(frames.float(), size, mode="bilinear", antialias=True)
        frames = scaled.round().clamp(0, 255).to(torch.uint8)
    else:
        frames = F.interpolate(frames, size, mode="bilinear", antialias=True)
    top = (height - size[0]) // 2
    left = (width - size[1]) // 2
    if resize == "letterbox":
        return F.pad(frames, [left, width - size[1] - left, top, height - size[0] - top])
    if resize == "center_crop":
        return frames[:, :, -top : height - top, -left : width - left]
    return frames


def resize_pixels(pixels: Tensor, size: tuple[int, int]) -> Tensor:
    """Scale float frames [N, 3, H, W] to float [N, 3, *size], bilinear with antialiasing: `squash` without rounding."""
    return pixels if pixels.shape[2:] == size else F.interpolate(pixels, size, mode="bilinear", antialias=True)

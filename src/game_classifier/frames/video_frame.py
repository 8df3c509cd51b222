"""From a decoded frame of a video to a uint8 frame of the network's size, upright and in the colours of a screen."""

from collections.abc import Callable

import av
import numpy as np

from game_classifier.frames.decode import MAX_PIXELS, FrameError, FrameStatus, Preprocessing, resize_frame

PQ = 16  # transfer characteristics of HDR10 and Dolby Vision in ITU-T H.273: SMPTE ST 2084
WHITE_NITS = 203  # of the white of a page or a HUD in HDR video, ITU-R BT.2408
# Linear RGB of ITU-R BT.2020 to that of BT.709, ITU-R BT.2087.
TO_BT709 = np.array([[1.6605, -0.5876, -0.0728], [-0.1246, 1.1329, -0.0083], [-0.0182, -0.1006, 1.1187]], np.float32)

Resize = Callable[[np.ndarray, Preprocessing], np.ndarray]  # uint8 [H, W, 3] -> uint8 [height, width, 3]
Rectangle = tuple[int, int, int, int]  # x1, y1, x2, y2 in pixels of an upright frame
Find = Callable[[np.ndarray, Resize], Rectangle | None]  # a frame, and how it is resized for looking -> a part of it


def video_pixels(frame: av.VideoFrame, rotation: int, preprocessing: Preprocessing) -> np.ndarray:
    """Convert a decoded frame as `region_pixels` does, all of it."""
    return region_pixels(frame, rotation, preprocessing, None)[0]


def region_pixels(
    frame: av.VideoFrame, rotation: int, preprocessing: Preprocessing, find: Find | None
) -> tuple[np.ndarray, Rectangle | None]:
    """Convert what `find` finds of a decoded frame of any pixel format to uint8 RGB [height, width, 3]; return both.

    Where nothing is found, the whole frame is converted, and the rectangle is None.

    `rotation` is what PyAV reads from the display matrix: the degrees by which players turn the frame, against the
    clock. HDR10 becomes SDR: what is brighter than the white of a page is cut. HLG stays as it is, because it is made
    to be shown so. Raises FrameError (too large, unsupported).
    """
    if frame.width * frame.height > MAX_PIXELS:
        raise FrameError(FrameStatus.TOO_LARGE)
    try:
        pixels = frame.to_ndarray(format="rgb24")
    except (av.FFmpegError, ValueError):
        raise FrameError(FrameStatus.UNSUPPORTED) from None
    pixels = np.ascontiguousarray(np.rot90(pixels, round(rotation / 90) % 4))

    def resize(whole: np.ndarray, size: Preprocessing) -> np.ndarray:
        resized = resize_frame(whole, size)
        return hdr_to_sdr(resized) if frame.color_trc == PQ else resized  # less work than for the whole frame

    region = find(pixels, resize) if find else None
    return resize(cut_out(pixels, region), preprocessing), region


def cut_out(pixels: np.ndarray, region: Rectangle | None) -> np.ndarray:
    """The region of a frame [H, W, 3], contiguous; the very same frame without one."""
    if region is None:
        return pixels
    x1, y1, x2, y2 = region
    return np.ascontiguousarray(pixels[y1:y2, x1:x2])


def hdr_to_sdr(pixels: np.ndarray) -> np.ndarray:
    """Convert uint8 [..., 3] in PQ and BT.2020 to uint8 in BT.709's primaries with a gamma of 2.4."""
    m1, m2, c1, c2, c3 = 2610 / 16384, 2523 / 32, 3424 / 4096, 2413 / 128, 2392 / 128  # SMPTE ST 2084
    powered = (pixels.astype(np.float32) / 255) ** (1 / m2)
    nits = 10_000 * (np.maximum(powered - c1, 0) / (c2 - c3 * powered)) ** (1 / m1)
    linear = np.clip((nits / WHITE_NITS) @ TO_BT709.T, 0, 1)
    return (linear ** (1 / 2.4) * 255 + 0.5).astype(np.uint8)

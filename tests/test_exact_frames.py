"""The frames that are decoded for moments are those of decoding everything, to the last bit."""

from pathlib import Path

import av
import numpy as np
import pytest
from videos import RATE, picture, remux, write_video

from game_classifier.timeline.clock import Clock
from game_classifier.timeline.decode import look_at
from game_classifier.timeline.packets import Piece, read_pieces
from game_classifier.timeline.sampling import GridSampler

B_FRAMES = {"bf": "3", "b-pyramid": "normal", "refs": "3", "preset": "fast"}
KINDS = {
    "streams.mp4": ("libx264", 20, B_FRAMES),
    "long_groups.mkv": ("libx264", 250, B_FRAMES),
    "no_b_frames.ts": ("libx264", 20, {"tune": "zerolatency"}),
    "intra_refresh.mp4": ("libx264", 20, {"intra-refresh": "1"}),
    "mpeg4.mp4": ("mpeg4", 20, {"qscale": "3"}),
    "hevc.mp4": ("libx265", 20, {"x265-params": "log-level=none:open-gop=0:bframes=3"}),
    "vp8.webm": ("libvpx", 20, {"auto-alt-ref": "1", "lag-in-frames": "16", "cpu-used": "8", "deadline": "realtime"}),
    "av1.mp4": ("libsvtav1", 20, {"preset": "12"}),
}


def frames():
    """Noise that moves, so that no two frames are alike and the encoder finds references."""
    noise = picture(-1, 0, (400, 90))
    return (np.roll(noise, -3 * number, 1)[:, :160] for number in range(12 * RATE))


def every_frame(path: Path) -> list[tuple[float, np.ndarray]]:
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        shown = [(float(frame.pts * stream.time_base), frame.to_ndarray()) for frame in container.decode(stream)]
    return [(time - shown[0][0], pixels) for time, pixels in shown]


def assert_exact(path: Path) -> None:
    shown = every_frame(path)
    assert len(shown) == 12 * RATE
    times = np.array([time for time, _ in shown])
    for interval in (0.13, 0.7, 2.0):
        moments = []
        with av.open(str(path)) as container:
            for piece in read_pieces(
                container, container.streams.video[0], Clock(RATE), GridSampler(interval, "exact"), 5.0
            ):
                assert isinstance(piece, Piece)
                for look in look_at(piece):
                    expected = shown[np.searchsorted(times, look.time + 0.001, side="right") - 1][1]
                    assert look.frame is not None, look.time
                    np.testing.assert_array_equal(look.frame.to_ndarray(), expected, err_msg=f"{path.name} {look.time}")
                    moments.append(look.time)
        np.testing.assert_allclose(moments, interval * np.arange(len(moments)))
        assert moments[-1] >= 12 - interval - 0.1


@pytest.mark.parametrize("name", KINDS)
def test_left_out_frames_change_no_other(tmp_path, name, monkeypatch):
    codec, key_every, options = KINDS[name]
    monkeypatch.setenv("SVT_LOG", "1")
    if codec not in av.codecs_available:
        pytest.skip(f"this FFmpeg has no {codec}")
    assert_exact(write_video(tmp_path / name, frames(), codec=codec, key_every=key_every, options=options))


def test_h264_that_does_not_tell_how_far_frames_are_reordered(tmp_path):
    """As some hardware encoders write it."""
    if "libx264" not in av.codecs_available:
        pytest.skip("this FFmpeg has no libx264")
    write_video(tmp_path / "whole.mp4", frames(), key_every=250, options={**B_FRAMES, "profile": "main"})
    remux(tmp_path / "whole.mp4", tmp_path / "silent.mp4", lambda packet: packet, extradata=without_vui)
    assert_exact(tmp_path / "silent.mp4")


def without_vui(extradata: bytes) -> bytes:
    """The avcC box with the usability information of its sequence parameter set cut off (ITU-T H.264, 7.3.2.1.1)."""
    size = int.from_bytes(extradata[6:8], "big")
    parameters, rest = extradata[8 : 8 + size], extradata[8 + size :]
    bits = "".join(f"{byte:08b}" for byte in parameters[4:].replace(b"\0\0\3", b"\0\0"))
    place = 0

    def number() -> int:
        nonlocal place
        zeros = bits.index("1", place) - place
        place += 2 * zeros + 1
        return int(bits[place - zeros - 1 : place], 2) - 1

    assert [number(), number() >= 0, number()] == [0, True, 0]  # its own number, frame numbers, order by count
    number(), number()  # bits of the count, reference frames
    place += 1
    number(), number()  # width, height
    place += 2
    if bits[place] == "1":  # cropped
        place += 1
        number(), number(), number(), number()
    else:
        place += 1
    assert bits[place] == "1"
    cut = bits[:place] + "01"
    cut += "0" * (-len(cut) % 8)
    short = parameters[:4] + bytes(int(cut[at : at + 8], 2) for at in range(0, len(cut), 8))
    return extradata[:6] + len(short).to_bytes(2, "big") + short + rest

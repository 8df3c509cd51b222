"""Videos that are none, or that are damaged, turned, of another depth, or of another clock."""

import random
import socket
import wave

import av
import numpy as np
import pytest
from conftest import CLASSES
from videos import RATE, names_of, programme, remux, timeline_of, write_video

from game_classifier.frames.decode import Preprocessing
from game_classifier.frames.video_frame import hdr_to_sdr, region_pixels, video_pixels
from game_classifier.timeline.clock import Clock
from game_classifier.timeline.packets import read_pieces
from game_classifier.timeline.sampling import GridSampler

SCRIPT = "src/predict_stream.py"
PARTS = [(0, 12), (1, 12)]


def predict(run, weights, video, folder, *options):
    return run(SCRIPT, "-w", weights, "--input", video, "--save", folder, *options)


def write_music_with_cover(path):
    with av.open(str(path), "w", format="mp4") as written:
        music, cover = written.add_stream("aac", rate=8000), written.add_stream("mjpeg", rate=1)
        cover.width, cover.height, cover.pix_fmt = 16, 16, "yuvj420p"
        cover.disposition = av.stream.Disposition.attached_pic
        picture = av.VideoFrame.from_ndarray(np.zeros((16, 16, 3), np.uint8), format="rgb24")
        sound = av.AudioFrame.from_ndarray(np.zeros((1, 8000), np.float32), format="fltp", layout="mono")
        sound.rate, sound.pts = 8000, 0
        for stream, frame in ((cover, picture), (cover, None), (music, sound), (music, None)):
            written.mux(stream.encode(frame))


def test_what_is_no_video_ends_with_one_line(tmp_path, run, sure):
    with wave.open(str(tmp_path / "sound.wav"), "wb") as sound:
        sound.setparams((1, 2, 8000, 0, "NONE", ""))
        sound.writeframes(bytes(8000))
    (tmp_path / "empty.mp4").touch()
    (tmp_path / "text.mp4").write_text("this is no video\n" * 100)
    whole = write_video(tmp_path / "whole.mp4", programme([(0, 2)])).read_bytes()
    data = write_video(tmp_path / "whole.mkv", programme([(0, 2)])).read_bytes()
    (tmp_path / "header.mkv").write_bytes(data[: data.index(b"\x1f\x43\xb6\x75")])  # the first cluster
    remux(tmp_path / "whole.mp4", tmp_path / "rest.mkv", lambda packet: None if packet.is_keyframe else packet)
    write_music_with_cover(tmp_path / "music.m4a")
    (tmp_path / "cut.mp4").write_bytes(whole[: len(whole) // 2])  # its index stood at the end
    for name, complaint in {
        "sound.wav": "has no video stream (audio in it)",
        "empty.mp4": "is empty",
        "text.mp4": "not a video that FFmpeg can read",
        "header.mkv": "not a video that FFmpeg can read",
        "rest.mkv": "no frame can be read, it has no frames",
        "music.m4a": "has no video stream (only a cover picture in it)",
        "cut.mp4": "not a video that FFmpeg can read, or its header is damaged",
    }.items():
        assert predict(run, sure, tmp_path / name, tmp_path / "out").error.startswith(f"{tmp_path / name}: {complaint}")
        assert not list(tmp_path.glob("out/*"))


def test_a_damaged_middle_is_a_gap_and_the_rest_is_labelled(tmp_path, run, sure):
    noise = random.Random(0)

    def damage(packet):
        if 8 <= packet.pts * packet.time_base < 16:
            packet.update(noise.randbytes(packet.size))
        return packet

    write_video(tmp_path / "whole.mp4", programme(PARTS))
    remux(tmp_path / "whole.mp4", tmp_path / "damaged.mkv", damage)
    done = predict(run, sure, tmp_path / "damaged.mkv", tmp_path / "out", "--frames", "exact")
    assert done.status == 0, done.err
    timeline = timeline_of(tmp_path / "out")
    assert names_of(timeline) == [CLASSES[0], CLASSES[1]]
    (gap,) = timeline["gaps"]
    assert gap["reason"] == "damaged"
    assert (gap["start"], gap["end"]) == (pytest.approx(8, abs=1.1), pytest.approx(16, abs=1.1))
    assert timeline["segments"][0]["end"] == gap["start"]
    assert timeline["segments"][1]["start"] == gap["end"]
    rows = np.load(tmp_path / "out" / "timeline.npy")
    assert set(rows["status"]) == {0, 6}
    assert set(rows["pred"][rows["status"] == 6]) == {-1}
    assert "(damaged)" in done.out


def test_bytes_lost_in_a_transport_stream_do_not_end_it(tmp_path, run, sure):
    write_video(tmp_path / "whole.ts", programme(PARTS))
    data = bytearray((tmp_path / "whole.ts").read_bytes())
    middle = len(data) // 2
    data[middle : middle + 50_000] = random.Random(1).randbytes(50_000)
    (tmp_path / "hurt.ts").write_bytes(data)
    assert predict(run, sure, tmp_path / "hurt.ts", tmp_path / "out").status == 0
    assert names_of(timeline_of(tmp_path / "out"))[0] == CLASSES[0]
    assert names_of(timeline_of(tmp_path / "out"))[-1] == CLASSES[1]


def test_a_file_that_was_cut_short_ends_in_a_gap(tmp_path, run, sure):
    whole = tmp_path / "whole.mp4"
    write_video(whole, programme([(0, 12), (1, 40)]), container_options={"movflags": "faststart"})
    data = whole.read_bytes()
    (tmp_path / "cut.mp4").write_bytes(data[: int(len(data) * 0.4)])
    assert predict(run, sure, tmp_path / "cut.mp4", tmp_path / "out").status == 0
    timeline = timeline_of(tmp_path / "out")
    assert timeline["duration"] == pytest.approx(52, abs=0.2)
    assert timeline["segments"][0]["class"] == CLASSES[0]
    assert timeline["gaps"][-1]["end"] == timeline["duration"]
    assert timeline["gaps"][-1]["start"] < 26


def test_a_rate_that_varies_keeps_its_times(tmp_path, run, sure):
    times, now = [], 0.0
    for number in range(240):
        times.append(now)
        now += (0.02, 0.05, 0.3)[number % 3]
    frames = list(programme([(0, 12), (1, 12)]))
    write_video(tmp_path / "vfr.mkv", frames, times)
    assert predict(run, sure, tmp_path / "vfr.mkv", tmp_path / "out").status == 0
    timeline = timeline_of(tmp_path / "out")
    assert timeline["segments"][1]["start"] == pytest.approx(times[120], abs=0.3)
    assert timeline["gaps"] == []


def test_a_pause_without_frames_is_a_gap(tmp_path, run, sure):
    frames = list(programme(PARTS))
    times = [number / RATE + (40 if number >= 120 else 0) for number in range(240)]
    write_video(tmp_path / "pause.ts", frames, times)
    assert predict(run, sure, tmp_path / "pause.ts", tmp_path / "out").status == 0
    timeline = timeline_of(tmp_path / "out")
    assert timeline["gaps"] == [
        {"start": pytest.approx(12, abs=0.2), "end": pytest.approx(52, abs=0.2), "reason": "no frames"}
    ]
    assert names_of(timeline) == [CLASSES[0], CLASSES[1]]


@pytest.mark.parametrize("shift", ["late", "back"])
def test_timestamps_that_start_late_or_jump_back(tmp_path, run, sure, shift):
    def late(packet):
        packet.pts += 5000 * round(1 / packet.time_base)
        packet.dts += 5000 * round(1 / packet.time_base)
        return packet

    if shift == "late":
        write_video(tmp_path / "whole.mp4", programme(PARTS))
        remux(tmp_path / "whole.mp4", tmp_path / "moved.ts", late)
    else:  # two recordings in one file: the second one's clock starts anew
        halves = [write_video(tmp_path / f"{part[0]}.ts", programme([part])).read_bytes() for part in PARTS]
        (tmp_path / "moved.ts").write_bytes(b"".join(halves))
    assert predict(run, sure, tmp_path / "moved.ts", tmp_path / "out").status == 0
    timeline = timeline_of(tmp_path / "out")
    assert timeline["duration"] == pytest.approx(24, abs=0.3)
    assert names_of(timeline) == [CLASSES[0], CLASSES[1]]
    assert timeline["segments"][1]["start"] == pytest.approx(12, abs=0.4)
    assert timeline["gaps"] == []


def test_ten_bits(tmp_path, run, sure):
    write_video(tmp_path / "ten.mkv", programme(PARTS), pixels="yuv420p10le")
    assert predict(run, sure, tmp_path / "ten.mkv", tmp_path / "out").status == 0
    assert names_of(timeline_of(tmp_path / "out")) == [CLASSES[0], CLASSES[1]]


@pytest.mark.parametrize("degrees", [90, 180, 270])
def test_a_turned_picture_is_shown_upright(tmp_path, degrees):
    """Left red, right blue, as a player shows it; the stored picture lies on its side."""
    upright = np.zeros((64, 96, 3), np.uint8)
    upright[:, :48, 0] = upright[:, 48:, 2] = 250
    stored = np.ascontiguousarray(np.rot90(upright, -degrees // 90))
    path = write_video(tmp_path / "turned.mp4", [stored] * 5, rotation=degrees)
    with av.open(str(path)) as container:
        frame = next(container.decode(video=0))
        pixels = video_pixels(frame, frame.rotation, Preprocessing(64, 96))
        left = (0, 0, 48, 64)
        left_half, region = region_pixels(frame, frame.rotation, Preprocessing(64, 96), lambda whole, resize: left)
    assert pixels[:, :40, 0].mean() > 200
    assert pixels[:, 56:, 2].mean() > 200
    assert left_half[:, :80, 0].mean() > 200  # a part is cut from the upright picture
    assert region == left


def test_a_turned_video_is_turned_back_while_it_is_read(tmp_path):
    path = write_video(tmp_path / "turned.mp4", programme([(0, 3)]), rotation=90)
    with av.open(str(path)) as container:
        pieces = list(read_pieces(container, container.streams.video[0], Clock(RATE), GridSampler(1.0, "key"), 5.0))
    assert {piece.group.codec.rotation % 360 for piece in pieces} == {90}


def test_hdr_video_is_shown_as_a_screen_shows_it(tmp_path, run, sure):
    """White of 203 nits, in 10 bits and BT.2020, and a red that is a class."""
    colours = {"x264-params": "colorprim=bt2020:transfer=smpte2084:colormatrix=bt2020nc"}
    grey = np.full((90, 160, 3), round(0.58 * 255), np.uint8)
    path = write_video(tmp_path / "white.mkv", [grey] * 5, pixels="yuv420p10le", options=colours)
    with av.open(str(path)) as container:
        frame = next(container.decode(video=0))
        assert video_pixels(frame, 0, Preprocessing(64, 96)).min() > 240
        looked: list[int] = []

        def find(whole, resize):  # looks at the colours of a screen, too
            looked.append(resize(whole, Preprocessing(8, 8)).min())
            return 20, 10, 60, 50

        assert region_pixels(frame, 0, Preprocessing(64, 96), find)[0].min() > 240
        assert looked[0] > 240
    write_video(tmp_path / "games.mkv", programme(PARTS), pixels="yuv420p10le", options=colours)
    assert predict(run, sure, tmp_path / "games.mkv", tmp_path / "out").status == 0
    assert names_of(timeline_of(tmp_path / "out")) == [CLASSES[0], CLASSES[1]]


def test_hdr_white_becomes_white():
    """203 nits in PQ is 58% of the signal (ITU-R BT.2408, table 1)."""
    white = hdr_to_sdr(np.full((1, 1, 3), round(0.58 * 255), np.uint8))
    assert white.min() > 248
    assert hdr_to_sdr(np.zeros((1, 1, 3), np.uint8)).max() == 0
    grey = hdr_to_sdr(np.full((1, 1, 3), round(0.4 * 255), np.uint8))
    assert 90 < grey.min() <= grey.max() < 170


def test_a_url_that_never_answers_ends_after_the_time_limit(tmp_path, run, sure):
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}/live.flv"
        done = predict(run, sure, url, tmp_path, "--time-limit", "0.5")
    assert done.error.startswith(f"{url}: no answer for 0.5 s")


def test_a_url_that_nobody_serves(tmp_path, run, sure):
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}/live.flv"
    assert predict(run, sure, url, tmp_path).error.startswith(f"{url}: cannot be opened")

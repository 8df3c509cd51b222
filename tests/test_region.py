"""--region: the frame is cut to the game's box, exactly, before it is classified; without a box it is whole."""

import base64
import io
import json
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from conftest import CLASSES, ROOT, contents, random_detector
from PIL import Image
from stream_frames import NAMES, PLACES, SIZE, SQUASH, seeing_games, stream_frame, with_answer
from videos import names_of, timeline_of, write_video

from game_classifier.config import GateConfig
from game_classifier.deploy.export import convert
from game_classifier.deploy.gate import GateFrames
from game_classifier.frames.decode import FrameStatus
from game_classifier.lists.box_list import without_boxes
from game_classifier.models.checkpoint import load_checkpoint
from game_classifier.runtime import fastest
from game_classifier.runtime.runner import load_runner
from game_classifier.timeline import predict_videos, region
from game_classifier.timeline.answers import Sample
from game_classifier.timeline.follow import Following, follow
from game_classifier.timeline.hmm import Smoothing
from game_classifier.timeline.predict_video import Sampling, VideoPredictor
from game_classifier.timeline.region import Region
from game_classifier.timeline.sample_file import open_samples
from game_classifier.timeline.source import Source

SCRIPT = "src/predict_stream.py"


@pytest.fixture(scope="module")
def weights(tmp_path_factory) -> Path:
    return random_detector(tmp_path_factory.mktemp("region") / "random.pth", SIZE, NAMES)


PARTS = [(0, 0, 8), (1, 1, 8), (2, None, 8)]  # class, place, seconds


@pytest.fixture(scope="module")
def video(tmp_path_factory) -> Path:
    frames = (stream_frame(index, place) for index, place, seconds in PARTS for _ in range(seconds * 10))
    return write_video(tmp_path_factory.mktemp("video") / "stream.mp4", frames)


@pytest.fixture
def planting(monkeypatch, weights):
    """The command's detector answers as `seeing_games`."""

    def load(path, *options):
        runner = load_runner(path, *options)
        return with_answer(runner, seeing_games, SQUASH) if runner.class_names == NAMES else runner

    monkeypatch.setattr(predict_videos, "load_runner", load)


def test_the_games_of_a_stream_are_classified_in_their_region(tmp_path, run, sure, weights, video, planting):
    options = ("-w", sure, "--input", video, "--save", tmp_path / "out")
    assert run(SCRIPT, *options).status == 0
    whole = timeline_of(tmp_path / "out")
    assert whole["region"] is None
    assert names_of(whole) != list(CLASSES)  # the white page is a class of its own
    assert run(SCRIPT, *options, "--region", weights).status == 0
    cut = timeline_of(tmp_path / "out")
    assert names_of(cut) == list(CLASSES)
    assert [part["start"] for part in cut["segments"][1:]] == pytest.approx([8, 16], abs=0.2)
    assert cut["region"] == {
        "model": str(weights),
        "model_sha256": load_runner(weights).sha256(),
        "runtime": "PyTorch",
        "precision": "fp32",
        "least_score": 0.5,
        "least_side": 0.2,
    }
    one = (tmp_path / "out" / "timeline.npy").read_bytes()
    assert run(SCRIPT, *options[:-1], tmp_path / "again", "--region", weights, "--threads", 1).status == 0
    assert (tmp_path / "again" / "timeline.npy").read_bytes() == one


def regions_of(folder) -> list[tuple[int, ...]]:
    """Of each row of timeline.npy."""
    return np.load(folder / "timeline.npy", allow_pickle=False)[["x1", "y1", "x2", "y2"]].tolist()


def near(place):
    """Whether a region is this one of PLACES; a pixel of the 64 that `seeing_games` looks at is 5 wide."""
    return lambda region: np.abs(np.subtract(region, PLACES[place])).max() <= 6


def pictures_of(folder: Path) -> list[Image.Image]:
    """The small pictures of a page."""
    found = re.findall(r'image/jpeg;base64,([^"]+)"', (folder / "timeline.html").read_text("utf-8"))
    return [Image.open(io.BytesIO(base64.b64decode(each))) for each in found]


def outlined(picture: Image.Image, place: int) -> bool:
    """Whether a small picture has a yellow outline at this one of PLACES."""
    x1, y1, _, y2 = np.array(PLACES[place]) // 2  # 160 x 90
    edge = np.asarray(picture)[y1 + 10 : y2 - 10, x1 - 3 : x1 + 4].astype(int)
    yellow = edge[..., :2].min(-1) - edge[..., 2]
    return yellow.max(1).mean() > 80


def test_timeline_npy_and_the_page_tell_where_the_game_was(tmp_path, run, sure, weights, video, planting):
    options = ("-w", sure, "--input", video, "--save", tmp_path)
    assert run(SCRIPT, *options).status == 0
    before = np.load(tmp_path / "timeline.npy").dtype
    assert run(SCRIPT, *options, "--region", weights).status == 0
    after = np.load(tmp_path / "timeline.npy").dtype
    assert after.descr == [*before.descr, *((name, "<i4") for name in ("x1", "y1", "x2", "y2"))]
    regions = regions_of(tmp_path)  # every 2 s
    assert len(regions) == 12
    assert all(map(near(0), regions[:4]))
    assert all(map(near(1), regions[4:8]))
    assert regions[8:] == [(0, 0, 0, 0)] * 4  # nothing was found
    assert "random.pth, found in 8 of them, outlined below" in (tmp_path / "timeline.html").read_text("utf-8")
    shown = [[outlined(picture, place) for place in (0, 1)] for picture in pictures_of(tmp_path)]
    assert shown == [[True, False], [False, True], [False, False]]


def test_a_turned_video_has_the_region_of_its_upright_frames(tmp_path, run, sure, weights, planting):
    stored = np.rot90(stream_frame(0, 0), -1)
    video = write_video(tmp_path / "turned.mp4", [stored] * 20, rotation=90)
    assert run(SCRIPT, "-w", sure, "--input", video, "--save", tmp_path, "--region", weights).status == 0
    assert all(map(near(0), regions_of(tmp_path)))
    (picture,) = pictures_of(tmp_path)
    assert outlined(picture, 0)


def test_a_frame_that_is_damaged_has_no_region(tmp_path):
    with open_samples(tmp_path, 3, regions=True) as samples:
        samples.add(Sample(0.0, FrameStatus.OK, np.float32([0.5, 0.3, 0.2]), region=(1, 2, 3, 4)))
        samples.add(Sample(2.0, FrameStatus.CORRUPT))
        assert samples.rows()[["x1", "y1", "x2", "y2"]].tolist() == [(1, 2, 3, 4), (0, 0, 0, 0)]


def test_many_videos_are_cut_too(tmp_path, run, sure, weights, video, planting):
    (tmp_path / "videos.txt").write_text(f"{video}\n")
    done = run(SCRIPT, "-w", sure, "--input", tmp_path / "videos.txt", "--save", tmp_path / "out", "--region", weights)
    assert done.status == 0, done.err
    (folder,) = (path for path in (tmp_path / "out").iterdir())
    assert names_of(timeline_of(folder)) == list(CLASSES)


def test_a_stream_that_is_followed_is_cut_too(tmp_path, sure, weights, video):
    cutting = Region(with_answer(load_runner(weights), seeing_games, SQUASH))
    predictor = VideoPredictor(load_runner(sure), 2, Sampling(1.0), Smoothing(), region=cutting)
    told = []
    follow(predictor, Source(str(video)), tmp_path, Following(3.0, 0.0), told.append)
    assert [each["class"] for each in told[:-1]] == list(CLASSES)
    assert timeline_of(tmp_path)["region"]["model"] == str(weights)
    assert [sum(map(near(place), regions_of(tmp_path))) for place in (0, 1)] == [8, 8]  # every second


def test_another_region_makes_a_finished_timeline_again(tmp_path, run, sure, weights, monkeypatch):
    video = write_video(tmp_path / "a.mp4", (stream_frame(0, 0) for _ in range(20)))
    moved = shutil.copy(weights, tmp_path / "moved.pth")
    other = random_detector(tmp_path / "other.pth", replace(SIZE, height=32), NAMES)
    options = ("-w", sure, "--input", video, "--save", tmp_path / "out")

    def is_kept(*more):
        done = run(SCRIPT, *options, *more)
        assert done.status == 0, done.err
        return "already finished" in done.out

    assert not is_kept("--region", weights)
    assert is_kept("--region", weights)
    assert is_kept("--region", moved)
    assert not is_kept("--region", other)
    assert not is_kept()
    assert is_kept()
    assert not is_kept("--region", weights)
    for limit in ("LEAST_SCORE", "LEAST_SIDE"):
        monkeypatch.setattr(region, limit, 0.6)
        assert not is_kept("--region", weights)
        assert is_kept("--region", weights)


def test_a_timeline_from_before_there_were_regions_is_kept(tmp_path, run, sure):
    video = write_video(tmp_path / "a.mp4", (stream_frame(0, None) for _ in range(20)))
    options = ("-w", sure, "--input", video, "--save", tmp_path / "out")
    assert run(SCRIPT, *options).status == 0
    path = tmp_path / "out" / "timeline.json"
    path.write_text(path.read_text("utf-8").replace('"region": null,', ""), encoding="utf-8")
    assert "region" not in timeline_of(tmp_path / "out")
    assert "already finished" in run(SCRIPT, *options).out


def test_a_timeline_from_before_there_was_a_least_size_is_made_again(tmp_path, run, sure, weights):
    video = write_video(tmp_path / "a.mp4", (stream_frame(0, None) for _ in range(20)))
    options = ("-w", sure, "--input", video, "--save", tmp_path / "out", "--region", weights)
    assert run(SCRIPT, *options).status == 0
    values = timeline_of(tmp_path / "out")
    del values["region"]["least_side"]
    (tmp_path / "out" / "timeline.json").write_text(json.dumps(values), encoding="utf-8")
    assert "already finished" not in run(SCRIPT, *options).out


def test_precision_and_runtime_hold_for_the_detector_too(tmp_path, run, sure, weights, monkeypatch):
    video = write_video(tmp_path / "a.mp4", (stream_frame(0, 0) for _ in range(20)))
    options = ("-w", sure, "--input", video, "--save", tmp_path / "out", "--region", weights)
    assert run(SCRIPT, *options, "--precision", "bf16").status == 0
    timeline = timeline_of(tmp_path / "out")
    assert (timeline["precision"], timeline["region"]["precision"]) == ("bf16", "bf16")

    asked: list[Path] = []
    monkeypatch.setattr(fastest, "fastest_file", lambda path, device: asked.append(path) or path)
    for more, expected in (((), [sure, weights]), (("--precision", "fp32"), []), (("--runtime", "file"), [])):
        asked.clear()
        assert run(SCRIPT, *options, *more).status == 0
        assert asked == expected

    frames = GateFrames(stream_frame(0, 0)[None, :64, :64], without_boxes(1))
    loose = GateConfig(fp32_difference=0.1, fp32_box_difference=10)  # the steep network enlarges rounding
    (deployed,) = convert(load_checkpoint(weights), tmp_path / "deploy", frames, formats=["pt"], limits=loose).files
    assert run(SCRIPT, *options[:-1], deployed, "--precision", "bf16").error == (
        f"{deployed}: holds a network in fp32; leave --precision out, or give a file in bf16"
    )


def test_wrong_use_is_one_line(tmp_path, run, sure, trained, detector, weights, video):
    options = ("-w", sure, "--input", video, "--save", tmp_path / "out")
    assert run(SCRIPT, *options, "--region", trained.best).error == (
        f"{trained.best}: its network repvgg_tiny is not a detector; give the file of a detector"
    )
    assert run(SCRIPT, *options, "--region", detector.best).error == (
        f"{detector.best}: a detector without the class 'game', of {', '.join(sorted(CLASSES))}; train one on frames of"
        " tool/record_objects.py --style stream"
    )
    assert run(SCRIPT, *options, "--region", tmp_path / "no.pt").error.startswith(f"{tmp_path}/no.pt: no such file")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("engine", ["local", "ray"])
def test_a_detector_in_place_of_the_classifier_is_one_line_with_each_engine(tmp_path, run, weights, video, engine):
    (tmp_path / "videos.txt").write_text(f"{video}\n")
    options = ("--input", tmp_path / "videos.txt", "--save", tmp_path / "out", "--engine", engine)
    assert run(SCRIPT, "-w", weights, *options).error == (
        f"{weights}: its network yolov5n_detector is not a classifier; give the file of a classifier"
    )


@pytest.mark.slow
def test_ray_makes_the_same_files(tmp_path, sure, weights, monkeypatch):
    """A random detector finds some box on most frames."""
    pytest.importorskip("ray")
    monkeypatch.setenv("RAY_ENABLE_UV_RUN_RUNTIME_ENV", "0")
    (tmp_path / "videos").mkdir()
    for number in range(3):
        frames = (stream_frame((number + second // 6) % 3, second // 6) for second in range(12) for _ in range(10))
        write_video(tmp_path / "videos" / f"{number}.mp4", frames)

    def made(save: Path, *more: object) -> dict[str, bytes]:
        options = ("-w", sure, "--region", weights, "--input", tmp_path / "videos", "--save", save, *more)
        command = [sys.executable, ROOT / SCRIPT, *options, "--threads", 1, "--precision", "bf16"]
        subprocess.run([str(part) for part in command], check=True, capture_output=True)
        return contents(save)

    local = made(tmp_path / "local")
    assert made(tmp_path / "ray", "--engine", "ray") == local
    assert len([name for name in local if name.endswith("timeline.json")]) == 3
    assert any(x2 > 0 for number in range(3) for *_, x2, _ in regions_of(tmp_path / "ray" / f"{number}.mp4"))
    assert timeline_of(tmp_path / "ray" / "0.mp4")["region"]["precision"] == "bf16"


def test_ray_workers_get_the_region(tmp_path, sure, weights, monkeypatch):
    """As Ray would start them: from the job alone."""

    def here(make_worker, job, sources, threads):
        worker = make_worker(job)
        assert worker.predictor.region.runner.source == weights
        return [worker.predict(source) for source in sources]

    monkeypatch.setattr(predict_videos, "map_on_ray", here)
    video = write_video(tmp_path / "a.mp4", (stream_frame(0, 0) for _ in range(20)))
    job = predict_videos.Job(sure, "auto", 1, Sampling(), Smoothing(), None, weights)
    outcome = predict_videos.predict_videos_with_ray({"a": video}, tmp_path / "out", job)
    assert (outcome.made, outcome.complaints) == (1, ())
    assert timeline_of(tmp_path / "out" / "a")["region"]["model"] == str(weights)

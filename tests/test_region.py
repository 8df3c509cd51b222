"""--region: the frame is cut to the game's box, exactly, before it is classified; without a box it is whole."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from conftest import CLASSES, random_detector
from PIL import Image
from videos import names_of, picture, timeline_of, write_video

from game_classifier.frames.decode import Preprocessing, resize_frame
from game_classifier.runtime.runner import load_runner
from game_classifier.timeline import predict_videos, region
from game_classifier.timeline.follow import Following, follow
from game_classifier.timeline.hmm import Smoothing
from game_classifier.timeline.predict_video import Sampling, VideoPredictor
from game_classifier.timeline.region import Region
from game_classifier.timeline.source import Source

SCRIPT = "src/predict_stream.py"
NAMES = ("webcam", "game", "chat")
GAME = NAMES.index("game")
SIZE = Preprocessing(64, 64, "letterbox", (0.0,) * 3, (1.0,) * 3)
STREAM = (320, 180)  # width, height
PLACES = ((40, 20, 240, 140), (100, 60, 300, 170))  # of the game, as its box; x1 y1 x2 y2


@pytest.fixture(scope="module")
def weights(tmp_path_factory) -> Path:
    return random_detector(tmp_path_factory.mktemp("region") / "random.pth", SIZE, NAMES)


def with_answer(runner, infer, preprocessing=SIZE):
    """The runner with other answers."""
    return replace(
        runner, preprocessing=preprocessing, infer=infer, make_workers=lambda count, batch_size: [infer] * count
    )


def planted(*found: tuple[tuple[float, float, float, float], str, float]):
    """A network that always finds these boxes, in pixels of its frame, of a class and with a score."""
    boxes = np.array([[box for box, _, _ in found]], np.float32)
    scores = np.zeros((1, len(found), len(NAMES)), np.float32)
    for number, (_, name, score) in enumerate(found):
        scores[0, number, NAMES.index(name)] = score
    return lambda frames: (boxes, scores)


def cut_of(weights, infer, preprocessing=SIZE):
    (cut,) = Region(with_answer(load_runner(weights), infer, preprocessing)).cuts(1)
    return cut


FRAME = np.random.default_rng(0).integers(0, 255, (STREAM[1], STREAM[0], 3), dtype=np.uint8)


def on_network(box, preprocessing):
    """A box of FRAME in pixels of the network's frame."""
    x1, y1, x2, y2 = box
    if preprocessing.resize == "squash":
        return x1 / 5, y1 * 64 / 180, x2 / 5, y2 * 64 / 180
    return x1 / 5, y1 / 5 + 14, x2 / 5, y2 / 5 + 14  # 64 x 36 with 14 black rows above and below


@pytest.mark.parametrize("resize", ["letterbox", "squash"])
def test_the_cut_is_exact_and_at_full_resolution(weights, resize):
    size = replace(SIZE, resize=resize)
    best, other = (on_network(box, size) for box in PLACES)
    cut = cut_of(weights, planted((other, "game", 0.6), (best, "game", 0.9), ((0, 0, 64, 64), "chat", 0.99)), size)
    part = cut(FRAME, resize_frame)
    x1, y1, x2, y2 = PLACES[0]
    assert np.array_equal(part, FRAME[y1:y2, x1:x2])
    assert part.flags.c_contiguous


def test_without_a_good_box_of_the_game_the_frame_stays_whole(weights):
    box = on_network(PLACES[0], SIZE)
    beside = (0, 0, 64, 13)  # on the black rows
    thin = (10, 20, 10.01, 40)
    for found in ((box, "game", 0.49), (box, "webcam", 0.9), (beside, "game", 0.9), (thin, "game", 0.9)):
        assert cut_of(weights, planted(found))(FRAME, resize_frame) is FRAME
    # The next best box of the game is taken then.
    x1, y1, x2, y2 = PLACES[0]
    cut = cut_of(weights, planted((beside, "game", 0.9), (thin, "game", 0.8), (box, "game", 0.7)))
    assert np.array_equal(cut(FRAME, resize_frame), FRAME[y1:y2, x1:x2])


def test_the_detector_sees_one_frame_of_its_own_size(weights):
    seen = []

    def infer(frames):
        seen.append(frames)
        return planted((on_network(PLACES[0], SIZE), "game", 0.9))(frames)

    cut_of(weights, infer)(FRAME, resize_frame)
    assert np.array_equal(seen[0], resize_frame(FRAME, SIZE)[None])


def stream_frame(class_index: int, place: int | None) -> np.ndarray:
    """A frame of a game; in a white page at `place` of PLACES, or alone."""
    if place is None:
        return picture(class_index, 0, STREAM)
    x1, y1, x2, y2 = PLACES[place]
    frame = np.full((STREAM[1], STREAM[0], 3), 255, np.uint8)
    frame[y1:y2, x1:x2] = picture(class_index, 0, (x2 - x1, y2 - y1))
    return frame


SQUASH = replace(SIZE, resize="squash")


def seeing_games(frames):
    """A perfect detector of `stream_frame`: what is not white; of a game alone it sees nothing."""
    dark = frames[0].min(-1) < 200
    rows, columns = np.flatnonzero(dark.any(1)), np.flatnonzero(dark.any(0))
    if len(rows) in (0, 64) or len(columns) in (0, 64):
        return planted(((0, 0, 1, 1), "game", 0.0))(frames)
    return planted(((columns[0], rows[0], columns[-1] + 1, rows[-1] + 1), "game", 0.9))(frames)


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
    }
    one = (tmp_path / "out" / "timeline.npy").read_bytes()
    assert run(SCRIPT, *options[:-1], tmp_path / "again", "--region", weights, "--threads", 1).status == 0
    assert (tmp_path / "again" / "timeline.npy").read_bytes() == one


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
    monkeypatch.setattr(region, "LEAST_SCORE", 0.6)
    assert not is_kept("--region", weights)


def test_a_timeline_from_before_there_were_regions_is_kept(tmp_path, run, sure):
    video = write_video(tmp_path / "a.mp4", (stream_frame(0, None) for _ in range(20)))
    options = ("-w", sure, "--input", video, "--save", tmp_path / "out")
    assert run(SCRIPT, *options).status == 0
    path = tmp_path / "out" / "timeline.json"
    path.write_text(path.read_text("utf-8").replace('"region": null,', ""), encoding="utf-8")
    assert "region" not in timeline_of(tmp_path / "out")
    assert "already finished" in run(SCRIPT, *options).out


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


def test_the_region_s_gain_and_cost_on_a_list(tmp_path, run, sure, weights, monkeypatch):
    """Nine frames in a page, more than one batch, and one alone."""
    lines = []
    for number in range(10):
        frame = stream_frame(number % 3, None if number == 9 else number % 2)
        Image.fromarray(frame).save(tmp_path / f"{number}.png")
        lines.append(f"{number}.png {sorted(CLASSES).index(CLASSES[number % 3])}\n")
    (tmp_path / "stream.txt").write_text("".join(lines))
    monkeypatch.setattr(region, "load_runner", lambda path: with_answer(load_runner(path), seeing_games, SQUASH))
    options = ("-w", sure, "--region", weights, "--input", tmp_path / "stream.txt")
    done = run("scripts/measure_region.py", *options)
    assert done.status == 0, done.err
    assert "10 frames; the game's region was found in 9 of them (90.00%)" in done.out
    cells = {
        row.split("|")[1].strip(): row.split("|")[2].strip()
        for row in done.out.splitlines()
        if "%" in row and "|" in row
    }
    assert cells["cut to the region"] == "100.00%"
    assert float(cells["whole"].rstrip("%")) < 100

    (tmp_path / "3.png").write_bytes(b"no image")
    assert run("scripts/measure_region.py", *options).error == (
        f"{tmp_path}/stream.txt:4: {tmp_path}/3.png cannot be read (not_an_image); take the line out"
    )
    (tmp_path / "stream.txt").write_text("0.png\n")
    assert "no class index after the path" in run("scripts/measure_region.py", *options).error

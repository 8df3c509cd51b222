"""Many videos: a run that was killed, and one on Ray, make the same files; a bad video stops no other."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from conftest import ROOT, contents
from videos import programme, timeline_of, write_video

SCRIPT = "src/predict_stream.py"
NAMES = ("a.mp4", "b.mkv", "more/c.ts")


@pytest.fixture(scope="module")
def videos(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("videos")
    (folder / "more").mkdir()
    for number, name in enumerate(NAMES):
        write_video(folder / name, programme([(number, 12), ((number + 1) % 3, 12)]))
    (folder / "notes.md").write_text("no video")
    return folder


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory, sure, videos) -> tuple[dict[str, bytes], float]:
    save = tmp_path_factory.mktemp("whole") / "save"
    start = time.monotonic()
    subprocess.run(command(sure, videos, save), check=True, capture_output=True)
    return contents(save), time.monotonic() - start


def command(sure, videos: Path, save: Path, *options: object) -> list[str]:
    script = [sys.executable, ROOT / SCRIPT, "-w", sure, "--input", videos, "--save", save]
    return [str(part) for part in (*script, *options)]


def test_a_folder_a_list_and_a_broken_video(tmp_path, run, sure, videos):
    (tmp_path / "broken.mp4").write_text("no video")
    lines = [*(str(videos / name) for name in NAMES[:2]), "broken.mp4"]
    (tmp_path / "list.txt").write_text("".join(f"{line}\n" for line in lines))
    done = run(SCRIPT, "-w", sure, "--input", tmp_path / "list.txt", "--save", tmp_path / "out")
    assert done.status == 1
    assert done.err.count("error: ") == 1
    assert f"error: {tmp_path}/broken.mp4: not a video" in done.err
    assert "2 timelines made; 1 videos could not be read" in done.out
    assert len(list((tmp_path / "out").rglob("timeline.json"))) == 2

    again = run(SCRIPT, "-w", sure, "--input", tmp_path / "list.txt", "--save", tmp_path / "out")
    assert "0 timelines made; 2 were already finished and are kept" in again.out


def test_lists_and_folders_without_videos(tmp_path, run, sure):
    (tmp_path / "list.txt").write_text("a.mp4\n")
    (tmp_path / "empty").mkdir()
    for source, complaint in (("list.txt", f":1: {tmp_path}/a.mp4: no such file"), ("empty", ": no video in it")):
        done = run(SCRIPT, "-w", sure, "--input", tmp_path / source, "--save", tmp_path / "out")
        assert done.error.startswith(f"{tmp_path / source}{complaint}")


@pytest.mark.slow
def test_kills_at_random_moments_change_nothing(tmp_path, sure, videos, uninterrupted):
    expected, seconds = uninterrupted
    assert {name for name in expected if name.endswith(".json")} == {f"{name}/timeline.json" for name in NAMES}
    moments = random.Random(0)
    for _ in range(int(os.environ.get("GAME_CLASSIFIER_KILLS", "3"))):
        process = subprocess.Popen(command(sure, videos, tmp_path / "save"), stderr=subprocess.DEVNULL)
        time.sleep(moments.uniform(0.3, 1.0) * seconds)
        process.send_signal(signal.SIGKILL)
        process.wait()
    subprocess.run(command(sure, videos, tmp_path / "save"), check=True, capture_output=True)
    assert contents(tmp_path / "save") == expected


@pytest.mark.slow
def test_ray_makes_the_same_files(tmp_path, sure, videos, uninterrupted, monkeypatch):
    pytest.importorskip("ray")
    monkeypatch.setenv("RAY_ENABLE_UV_RUN_RUNTIME_ENV", "0")
    subprocess.run(
        command(sure, videos, tmp_path / "save", "--engine", "ray", "--threads", 1), check=True, capture_output=True
    )
    assert contents(tmp_path / "save") == uninterrupted[0]
    assert timeline_of(tmp_path / "save" / NAMES[0])["segments"]

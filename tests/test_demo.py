import numpy as np
import pytest
from PIL import Image

from game_classifier.demo.atari import Recording
from game_classifier.demo.recorder import record_games
from game_classifier.demo.settings import MANIFEST
from game_classifier.demo.stream_style import StreamStyle
from game_classifier.errors import InputError


def recording(**changes) -> Recording:
    values = {"episodes": 2, "frames": 3, "every": 10, "width": 320, "height": 180, "style": "plain", "seed": 0}
    return Recording(**values | changes)


def files(folder) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*.jpg"))}


@pytest.mark.parametrize("style", ["plain", "stream"])
def test_the_same_seed_gives_the_same_files_and_another_does_not(tmp_path, style):
    for name, seed in (("one", 0), ("same", 0), ("other", 1)):
        results = list(record_games(["pong"], tmp_path / name, recording(style=style, seed=seed), jobs=1))
        assert results == [("pong", "")]
    one, same, other = (files(tmp_path / name) for name in ("one", "same", "other"))
    places = [tuple(map(int, name.removeprefix("pong/").removesuffix(".jpg").split("_"))) for name in one]
    assert [episode for episode, _ in places] == [0, 0, 0, 1, 1, 1]
    starts = places[0][1], places[3][1]  # each episode is met at a point of its own
    assert [frame for _, frame in places] == [start + after for start in starts for after in (0, 10, 20)]
    assert starts[0] != starts[1]
    assert all(70 <= start < 610 for start in starts)
    assert one == same
    assert one != other
    assert len(set(one.values())) == 6
    if style == "plain":
        assert all(Image.open(path).size == (320, 180) for path in tmp_path.rglob("*.jpg"))


def test_a_game_that_fails_is_named_and_the_others_go_on(tmp_path):
    results = dict(record_games(["combat", "pong", "no_such_game"], tmp_path, recording(), jobs=2))
    assert results["pong"] == ""
    assert results["combat"] == "the process ended with status 1"  # ale-py ends it on a two-player ROM
    assert results["no_such_game"]
    assert len(files(tmp_path)) == 6
    assert not (tmp_path / "combat").exists()


def test_recorded_games_are_kept_and_other_settings_refused(tmp_path, monkeypatch):
    list(record_games(["pong"], tmp_path, recording(), jobs=1))
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.jpg")}
    list(record_games(["pong", "breakout"], tmp_path, recording(), jobs=1))
    assert all(path.stat().st_mtime_ns == time for path, time in before.items())
    assert len(files(tmp_path)) == 12
    with pytest.raises(InputError, match=rf"{MANIFEST}: recorded with other settings"):
        list(record_games(["pong"], tmp_path, recording(seed=1), jobs=1))


def test_stream_frames_vary_in_layout_size_and_quality():
    screen = Image.fromarray(np.full((210, 160, 3), (0, 200, 0), np.uint8))
    sizes, qualities, shares = set(), set(), []
    for seed in range(40):
        frame, quality = StreamStyle(np.random.default_rng(seed)).show(screen)
        sizes.add(frame.size)
        qualities.add(quality)
        shares.append((np.asarray(frame) == (0, 200, 0)).all(2).mean())
    assert len(sizes) == 4
    assert min(qualities) >= 35
    assert max(qualities) <= 90
    assert len(qualities) > 10
    # The game keeps most of the picture, and never all of it.
    assert min(shares) > 0.3
    assert max(shares) < 1


def test_record_games_command_names_what_is_wrong(tmp_path, run):
    def record(*arguments):
        return run("tool/record_games.py", *arguments).error

    assert "unknown game 'pongg'; the 104 known games are adventure" in record("pongg", "--out", tmp_path)
    assert "--size 12: give WIDTHxHEIGHT" in record("pong", "--out", tmp_path, "--size", 12)
    (tmp_path / "file").write_text("")
    assert "cannot be written" in record("pong", "--out", tmp_path / "file")

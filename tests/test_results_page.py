"""results/ of predictions: the frames worth a look are the right ones, and the page shows them to whoever opens it."""

import csv
import errno
import json
import os
import re
import shutil
import tarfile
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from conftest import draw_frame
from PIL import Image

from game_classifier.frames.decode import FrameStatus
from game_classifier.lists import reopen
from game_classifier.lists.filelist import FileList, list_of_images, read_file_list
from game_classifier.lists.tar_list import read_tar_list
from game_classifier.pages import results_page
from game_classifier.predict import results as results_module
from game_classifier.predict.predict_list import FORMAT
from game_classifier.predict.results import collect
from game_classifier.scoring import results as results_of_rows
from game_classifier.scoring.ranking import RANKED, Ranking
from game_classifier.storage import write_json
from game_classifier.tasks.choose import TASKS

NAMES = ("pong", "space invaders", "蓝色", "10", "9")
MODEL = {"model": "/models/a0.xml", "model_sha256": "f" * 64, "precision": "bf16", "runtime": "OpenVINO 2026.4"}


def probabilities(pred: np.ndarray, score: np.ndarray, classes: int) -> np.ndarray:
    """float32 [N, C] in which `pred` has `score`, and the other classes share the rest."""
    probs = np.repeat((1 - score)[:, None] / (classes - 1), classes, axis=1).astype(np.float32)
    probs[np.arange(len(pred)), pred] = score
    return probs


def write_shard(
    save: Path, stem: str, frames: FileList | int, pred, score, names=NAMES, status=None, **manifest
) -> None:
    """Predictions of a list as a finished shard; `pred` and `score` of a row that was not read do not count."""
    count = frames if isinstance(frames, int) else len(frames)
    rows = np.zeros(count, TASKS["classification"].rows.dtype(len(names)))
    rows["label"] = -1 if isinstance(frames, int) else frames.labels
    rows["status"] = np.zeros(count, int) if status is None else status
    read = rows["status"] == FrameStatus.OK
    rows["pred"] = np.where(read, pred, -1)
    rows["score"] = np.where(read, score, 0)
    rows["probs"][read] = probabilities(np.broadcast_to(pred, count), np.broadcast_to(score, count), len(names))[read]
    save.mkdir(exist_ok=True)
    np.save(save / f"{stem}.npy", rows)
    reasons = {int(row): FrameStatus(rows["status"][row]).name.lower() for row in np.flatnonzero(~read)}
    listed = {} if isinstance(frames, int) else {"list": str(frames.source), "list_sha256": frames.sha256, "root": ""}
    values = {
        "format": FORMAT,
        "rows": count,
        "not_read": dict(sorted(Counter(reasons.values()).items())),
        "first_not_read": [
            {"line": row + 1, "path": f"/frames/{row}.jpg", "reason": reason} for row, reason in reasons.items()
        ][:100],
        "class_names": list(names),
    }
    write_json(save / f"{stem}.json", values | MODEL | listed | manifest)


def write_list(folder: Path, stem: str, labels, classes: int = len(NAMES), name: str = "{}.jpg") -> FileList:
    """A list with its frames; a label of -1 is left out."""
    (folder / stem).mkdir(parents=True)
    lines = []
    for number, label in enumerate(labels):
        path = f"{stem}/{name.format(number)}"
        draw_frame(max(0, label) % 3, number).save(folder / path, "JPEG")
        lines.append(path if label < 0 else f"{path} {label}")
    (folder / f"{stem}.txt").write_bytes(os.fsencode("".join(f"{line}\n" for line in lines)))
    return read_file_list(folder / f"{stem}.txt", classes)


def page_of(save: Path) -> str:
    collect(save).write(save / "results")
    return (save / "results" / "report.html").read_text(encoding="utf-8")


def section(page: str, title: str) -> str:
    """What stands under a heading, or "" without it."""
    return next((part for part in page.split("<h2>")[1:] if part.startswith(f"{title}</h2>")), "")


def cells_of(page: str, table: str) -> list[list[str]]:
    """The text of each body row of a table."""
    rows = page.partition(f'<table id="{table}"')[2].partition("</table>")[0].split("<tr>")[1:]
    return [re.findall(r"<t[dh][^>]*>([^<]*)</t[dh]>", row) for row in rows]


# -- which frames are shown


def random_save(save: Path, lists: int = 3, count: int = 101) -> np.ndarray:
    """Shards with many equal scores, some rows unlabelled and some not read; returns all read rows as RANKED."""
    random = np.random.default_rng(5)
    everything = []
    for number in range(lists):
        labels = random.integers(-1, len(NAMES), count).astype(np.int32)
        pred = random.integers(0, len(NAMES), count)
        score = (random.integers(5, 10, count) / 10).astype(np.float32)
        status = np.where(random.random(count) < 0.1, FrameStatus.CORRUPT, FrameStatus.OK)
        frames = FileList(Path(f"/lists/{number}.txt"), [""] * count, labels, "")
        write_shard(save, str(number), frames, pred, score, status=status)
        rows = np.zeros(count, RANKED)
        rows["shard"], rows["row"] = number, np.arange(count)
        rows["label"], rows["pred"], rows["score"] = labels, pred, score
        everything.append(rows[status == FrameStatus.OK])
    return np.concatenate(everything)


@pytest.mark.parametrize("chunk", [1, 7, 1000])
def test_the_frames_shown_are_those_of_a_sort_of_all_rows(tmp_path, monkeypatch, chunk):
    rows = random_save(tmp_path / "save").tolist()
    monkeypatch.setattr(results_module, "ROWS_AT_A_TIME", chunk)
    results = collect(tmp_path / "save")
    wrong = [row for row in rows if row[2] != -1 and row[2] != row[3]]
    by_highest = sorted(wrong, key=lambda row: (-row[4], row[0], row[1]))
    by_lowest = sorted(rows, key=lambda row: (row[4], row[0], row[1]))
    assert results.surely_wrong.rows.tolist() == by_highest[: results_of_rows.FRAMES_RANKED]
    assert results.least_sure.rows.tolist() == by_lowest[: results_of_rows.FRAMES_RANKED]
    expected = []
    for pair in sorted({row[2:4] for row in wrong}):
        expected += [row for row in by_highest if row[2:4] == pair][: results_of_rows.FRAMES_OF_A_PAIR]
    assert results.of_pairs.rows.tolist() == expected
    assert len(results.of_pairs.rows) < len(wrong)


def test_a_ranking_keeps_no_more_than_it_shows_and_counts_nan_as_0():
    ranking = Ranking(3, highest=False)
    rows = np.zeros(6, RANKED)
    rows["row"], rows["score"] = np.arange(6), [0.5, np.nan, 0.3, 0.4, np.nan, 0.2]
    ranking.add(rows[:0])
    ranking.add(rows[:4])
    ranking.add(rows[4:])
    assert ranking.rows["row"].tolist() == [1, 4, 5]
    highest = Ranking(3, highest=True)
    highest.add(rows)
    assert highest.rows["row"].tolist() == [0, 3, 2]


# -- the files


def labelled_save(folder: Path) -> Path:
    """Two lists: 3 of 6 and 2 of 4 frames right, one unlabelled, one not read."""
    first = write_list(folder, "a", [0, 0, 0, 1, 1, 2])
    second = write_list(folder, "b", [0, 0, -1, 2, 1])
    write_shard(folder / "save", "a", first, [0, 1, 1, 1, 0, 2], np.array([0.9, 0.8, 0.99, 0.7, 0.6, 0.95]))
    status = [0, 0, 0, 0, FrameStatus.EMPTY]
    write_shard(folder / "save", "b", second, [0, 1, 3, 0, 0], np.array([0.5, 0.97, 0.3, 0.4, 0]), status=status)
    return folder / "save"


def test_every_file_of_the_results(tmp_path):
    save = labelled_save(tmp_path)
    page = page_of(save)
    with (save / "results" / "confused_pairs.csv").open(encoding="utf-8", newline="") as file:
        assert list(csv.reader(file)) == [
            ["true", "predicted", "count", "share"],
            ["pong", "space invaders", "3", "0.6"],
            ["space invaders", "pong", "1", "0.5"],
            ["蓝色", "pong", "1", "0.5"],
        ]
    bins = np.load(save / "results" / "calibration.npy", allow_pickle=False)
    assert bins.dtype.names == ("low", "high", "count", "confidence", "accuracy")
    assert bins["count"].sum() == 9
    with Image.open(save / "results" / "confusion.png") as picture:
        assert picture.format == "PNG"
    assert sorted(path.name for path in (save / "results").iterdir()) == [
        "calibration.npy",
        "confused_pairs.csv",
        "confusion.npy",
        "confusion.png",
        "per_class.csv",
        "per_class.npy",
        "report.html",
    ]
    summary = dict(cells_of(page, "summary"))
    assert summary | {"Lists": "2", "Frames": "11", "Read": "10", "Labelled": "10", "Labelled and read": "9"} == summary
    assert summary["Top-1 accuracy"] == "44.44 %"
    assert summary["Top-5 accuracy"] == "100.00 %"
    scores = np.array([0.9, 0.8, 0.99, 0.7, 0.6, 0.95, 0.5, 0.97, 0.4], np.float32).astype(float)
    right = np.array([1, 0, 0, 1, 0, 1, 1, 0, 0])
    bin_of = np.ceil(scores * 15)
    error = sum(abs((scores - right)[bin_of == each].sum()) for each in set(bin_of)) / 9
    assert summary["Expected calibration error"] == f"{100 * error:.2f} %"
    diagram = re.search(r'<svg id="reliability-diagram".*?</svg>', page, re.DOTALL)[0]
    drawn = {float(high): 300 * share for high, share in zip(bins["high"], bins["accuracy"], strict=True)}
    bars = re.findall(r'class="right" x="([\d.]+)" y="[\d.]+" width="([\d.]+)"\s+height="([\d.]+)"', diagram)
    assert len(bars) == (bins["count"] > 0).sum()
    for left, width, height in bars:
        high = min(drawn, key=lambda each: abs(300 * each - float(left) - float(width)))
        assert float(height) == pytest.approx(drawn[high], abs=0.01)
    assert cells_of(page, "models")[1] == ["/models/a0.xml", "f" * 12, "bf16", "OpenVINO 2026.4", "2"]


def test_the_class_table_of_the_page(tmp_path):
    page = page_of(labelled_save(tmp_path))
    assert cells_of(page, "classes")[1:] == [
        ["space invaders", "2", "1", "3", "1", "25.00", "50.00", "33.33", "pong", "1"],
        ["pong", "5", "2", "2", "3", "50.00", "40.00", "44.44", "space invaders", "3"],
        ["蓝色", "2", "1", "0", "1", "100.00", "50.00", "66.67", "pong", "1"],
        ["10", "0", "0", "0", "0", "–", "–", "–", "", ""],
        ["9", "0", "0", "0", "0", "–", "–", "–", "", ""],
    ]


def test_the_frames_on_the_page(tmp_path):
    save = labelled_save(tmp_path)
    page = page_of(save)
    pairs = re.findall(r"<h3><bdi>(.*?)</bdi> → <bdi>(.*?)</bdi>\s*<span[^>]*>(.*?)</span>", page)
    assert pairs == [
        ("pong", "space invaders", "3 frames, 60.00 % of the class"),
        ("space invaders", "pong", "1 frame, 50.00 % of the class"),
        ("蓝色", "pong", "1 frame, 50.00 % of the class"),
    ]
    assert re.findall(r"[ab]\.txt:\d+", section(page, "Most confused pairs")) == [
        "a.txt:3", "b.txt:2", "a.txt:2", "a.txt:5", "b.txt:4",
    ]  # fmt: skip
    assert re.findall(r"[ab]\.txt:\d+", section(page, "Wrong with the highest probability")) == [
        "a.txt:3", "b.txt:2", "a.txt:2", "a.txt:5", "b.txt:4",
    ]  # fmt: skip
    unsure = section(page, "Lowest probability")
    assert re.findall(r"[ab]\.txt:\d+", unsure)[:3] == ["b.txt:3", "b.txt:4", "b.txt:1"]
    assert str(tmp_path / "b" / "2.jpg") in unsure
    assert re.search(r"<b><bdi>10</bdi></b>\s*<span[^>]*>30\.00 %", unsure)  # unlabelled
    assert re.search(r"<b><bdi>pong</bdi></b> \(right\)\s*<span[^>]*>50\.00 %", unsure)
    assert f'title="{tmp_path / "b.txt"}">b.txt:3<' in unsure
    assert page.count("data:image/jpeg;base64,") == 5 + 5 + 10
    assert "have no picture" not in page
    assert cells_of(page, "reasons")[1:] == [["empty", "1"]]
    assert cells_of(page, "unread")[1:] == [[f"{tmp_path / 'b.txt'}:5", "/frames/4.jpg", "empty"]]


def test_the_page_needs_nothing_from_outside_and_is_the_same_again(tmp_path, monkeypatch):
    save = labelled_save(tmp_path)
    page = page_of(save)
    assert not re.search(r"https?://|@import|url\(", page)
    assert all(source.startswith("data:") for source in re.findall(r'(?:src|href)\s*=\s*"([^"]*)"', page))
    assert "default-src 'none'" in page
    files = {path.name: path.read_bytes() for path in (save / "results").iterdir()}
    monkeypatch.setattr(results_module, "ROWS_AT_A_TIME", 2)
    page_of(save)
    assert {path.name: path.read_bytes() for path in (save / "results").iterdir()} == files


def test_the_page_names_up_to_200_lists(tmp_path):
    for number in range(203):
        write_shard(tmp_path / "save", f"{number:03}", 1, 0, 0.9, list=f"/lists/{number:03}.txt", precision="fp32")
    write_shard(tmp_path / "save", "203", 1, 0, 0.9, list="/lists/203.txt")
    page = page_of(tmp_path / "save")
    assert "<li>/lists/199.txt</li>" in page
    assert "<li>/lists/200.txt</li>" not in page
    assert "<li>and 4 more</li>" in page
    assert [row[2:] for row in cells_of(page, "models")[1:]] == [
        ["fp32", "OpenVINO 2026.4", "203"],
        ["bf16", "OpenVINO 2026.4", "1"],
    ]


def test_right_answers_only(tmp_path):
    write_shard(tmp_path / "save", "a", write_list(tmp_path, "a", [0, 1]), [0, 1], np.array([0.9, 0.8]))
    page = page_of(tmp_path / "save")
    assert "No frame was taken for another class" in page
    assert not section(page, "Wrong with the highest probability")
    assert (tmp_path / "save/results/confused_pairs.csv").read_text() == "true,predicted,count,share\n"


def test_unlabelled_lists_have_counts_instead_of_scores(tmp_path):
    save = tmp_path / "save"
    write_shard(save, "a", write_list(tmp_path, "a", [0, 0, 1]), [0, 0, 0], 0.9)
    page_of(save)
    assert (save / "results" / "confusion.png").exists()
    shutil.rmtree(tmp_path / "a")
    write_shard(save, "a", write_list(tmp_path, "a", [-1, -1, -1]), [3, 0, 3], np.array([0.9, 0.6, 0.7]))
    page = page_of(save)
    assert cells_of(page, "predicted")[1:3] == [["10", "2", "66.67"], ["pong", "1", "33.33"]]
    assert len(cells_of(page, "predicted")) == 1 + len(NAMES)
    assert "there are no scores" in page
    for absent in ("Classes", "Most confused pairs", "Wrong with the highest probability", "Calibration"):
        assert not section(page, absent), absent
    assert re.findall(r"a\.txt:\d", section(page, "Lowest probability")) == ["a.txt:2", "a.txt:3", "a.txt:1"]
    assert page.count("data:image/jpeg;base64,") == 3
    assert not (save / "results" / "confusion.png").exists()  # it showed other predictions


def test_nothing_read_at_all(tmp_path):
    write_shard(tmp_path / "save", "a", 150, 0, 0, status=[1] * 120 + [3] * 30)
    results = collect(tmp_path / "save")
    assert len(results.first_not_read) == 100
    page = page_of(tmp_path / "save")
    assert cells_of(page, "reasons")[1:] == [["missing", "120"], ["empty", "30"]]
    assert "the first 100 of 150" in page
    assert len(cells_of(page, "unread")) == 1 + 100
    assert not section(page, "Lowest probability")


def test_the_first_files_not_read_are_100_of_all_lists_together(tmp_path):
    for number in range(3):
        write_shard(tmp_path / "save", str(number), 60, 0, 0, status=[1] * 60, list=f"/lists/{number}.txt")
    unread = collect(tmp_path / "save").first_not_read
    assert [str(each) for each in (unread[0], unread[60], unread[-1])] == [
        "/lists/0.txt:1: /frames/0.jpg: missing",
        "/lists/1.txt:1: /frames/0.jpg: missing",
        "/lists/1.txt:40: /frames/39.jpg: missing",
    ]


# -- frames that are not there any more, and others that are


def without_pictures(save: Path) -> str:
    """The page, which must show its 2 frames of `two_frames` (twice: both are wrong) without pictures."""
    page = page_of(save)
    assert "data:image" not in page
    assert page.count("no picture</div>") == 6
    assert "6 of the 6 frames shown have no picture" in page
    assert len(re.findall(r"[^/]*:[12]<", section(page, "Lowest probability"))) == 2
    return page


def two_frames(folder: Path) -> tuple[Path, FileList]:
    frames = write_list(folder, "a", [0, 1])
    write_shard(folder / "save", "a", frames, [1, 0], np.array([0.9, 0.8]))
    assert page_of(folder / "save").count("data:image/jpeg;base64,") == 6
    return folder / "save", frames


def test_a_list_that_is_gone(tmp_path):
    save, frames = two_frames(tmp_path)
    frames.source.unlink()
    assert f'title="{frames.source}">a.txt:2<' in without_pictures(save)


def test_a_list_that_was_changed_names_other_frames_now(tmp_path):
    save, frames = two_frames(tmp_path)
    frames.source.write_text("a/1.jpg 1\na/0.jpg 0\n")
    assert "1.jpg" not in without_pictures(save)


@pytest.mark.parametrize("kind", ["tar", "folder", "empty folder", "pipe", "broken", "empty"])
def test_something_else_where_the_list_was(tmp_path, kind):
    save, frames = two_frames(tmp_path)
    frames.source.unlink()
    if kind == "tar":
        with tarfile.open(frames.source, "w") as archive:
            archive.add(tmp_path / "a")
    elif kind == "folder":
        shutil.copytree(tmp_path / "a", frames.source)
    elif kind == "empty folder":
        frames.source.mkdir()
    elif kind == "pipe":
        os.mkfifo(frames.source)
    else:
        frames.source.write_text({"broken": "a/0.jpg 0\n\n7\n", "empty": ""}[kind])
    without_pictures(save)


def test_a_list_that_may_not_be_read(tmp_path, monkeypatch):
    save, _ = two_frames(tmp_path)

    def refuse(path, *_):
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    monkeypatch.setattr(reopen, "read_file_list", refuse)
    without_pictures(save)


def test_an_archive_is_not_read_as_a_list(tmp_path, monkeypatch):
    save, frames = two_frames(tmp_path)
    frames.source.write_bytes(b"ustar\0" + bytes(10_000))
    monkeypatch.setattr(Path, "read_bytes", lambda path: pytest.fail(f"{path} was read whole"))
    without_pictures(save)


def test_frames_that_cannot_be_read_any_more(tmp_path):
    save, _ = two_frames(tmp_path)
    (tmp_path / "a" / "0.jpg").unlink()
    (tmp_path / "a" / "1.jpg").write_bytes(b"no image")
    assert str(tmp_path / "a" / "1.jpg") in without_pictures(save)


def test_manifests_that_lack_what_newer_ones_say(tmp_path):
    save, _ = two_frames(tmp_path)
    manifest = json.loads((save / "a.json").read_text())
    for name in ("list", "list_sha256", "root", "model", "model_sha256", "precision", "runtime"):
        manifest.pop(name)
    write_json(save / "a.json", manifest)
    page = without_pictures(save)
    assert '<span title="?">?:2<' in page
    assert cells_of(page, "models")[1] == ["", "", "", "", "1"]


def test_a_root_is_what_the_paths_stand_against(tmp_path):
    frames = write_list(tmp_path / "frames", "a", [0, 1])
    (tmp_path / "lists").mkdir()
    moved = shutil.move(frames.source, tmp_path / "lists" / "a.txt")
    root = tmp_path / "frames"
    write_shard(
        tmp_path / "save", "a", read_file_list(moved, len(NAMES), root), [1, 0], np.array([0.9, 0.8]), root=str(root)
    )
    page = page_of(tmp_path / "save")
    assert page.count("data:image/jpeg;base64,") == 6
    assert str(root / "a" / "1.jpg") in page


def test_frames_of_a_folder_and_of_a_tar_have_pictures_too(tmp_path):
    write_list(tmp_path, "folder", [0, 1])
    with tarfile.open(tmp_path / "frames.tar", "w") as archive:
        archive.add(tmp_path / "folder", "inside")
    score = np.array([0.9, 0.8])
    write_shard(tmp_path / "save", "folder", list_of_images(tmp_path / "folder"), [1, 0], score)
    write_shard(tmp_path / "save", "frames", read_tar_list(tmp_path / "frames.tar"), [1, 0], score)
    page = page_of(tmp_path / "save")
    assert page.count("data:image/jpeg;base64,") == 4
    assert f"{tmp_path}/frames.tar/inside/1.jpg" in page
    assert f"{tmp_path}/folder/1.jpg" in page


# -- what could break the page


def test_hostile_names_and_paths_stay_text(tmp_path):
    names = ("<script>alert(1)</script>", "\"'`&<img src=x>", "蓝色 العربية", "{{ 7 * 7 }}{% raw %}", "\\")
    path = os.fsdecode(b"<b>\"'\xff&{}.jpg")
    frames = write_list(tmp_path, "a<i>", [0, 1, 2, 3, 4, -1], name=path)
    write_shard(tmp_path / "save", "a", frames, [1, 2, 3, 4, 0, 0], 0.9, names, status=[0] * 5 + [1], model="<u>")
    manifest = json.loads((tmp_path / "save" / "a.json").read_text())
    manifest["first_not_read"][0]["path"] = f"<s>{path}"
    write_json(tmp_path / "save" / "a.json", manifest)
    page = page_of(tmp_path / "save")
    for tag in ("<script>alert", "<img src=x", '<b>"', "<i>", "<u>", "<s>"):
        assert tag not in page, tag
    assert page.count("<script>") == 1
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "&lt;b&gt;&#34;&#39;\\udcff&amp;0.jpg" in page
    assert "{{ 7 * 7 }}{% raw %}" in page
    assert "蓝色 العربية" in page
    assert page.count("data:image/jpeg;base64,") == 5 + 5 + 5
    assert '"""\'`&<img src=x>"' in (tmp_path / "save/results/confused_pairs.csv").read_text(encoding="utf-8")


def test_a_picture_of_names_that_are_no_formulas_and_leave_it_room(tmp_path, recwarn):
    names = ("$^{$ \\", "$", "$x$", "a" * 300, "10")
    write_shard(tmp_path / "save", "a", write_list(tmp_path, "a", [0, 1, 2, 3]), [1, 2, 3, 0], 0.9, names)
    page_of(tmp_path / "save")
    assert [str(each.message) for each in recwarn] == []


def noisy_save(folder: Path, classes: int) -> Path:
    """As many classes, confused as much as can be, with frames that compress as badly as can be."""
    names = tuple(f"game number {index} of a long name" for index in range(classes))
    random = np.random.default_rng(0)
    (folder / "noise").mkdir(parents=True)
    for number in range(200):
        pixels = random.integers(0, 256, (180, 320, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / "noise" / f"{number}.jpg", quality=95)
    labels = random.integers(0, classes, 4000)
    lines = [f"noise/{number % 200}.jpg {label}\n" for number, label in enumerate(labels)]
    (folder / "noise.txt").write_text("".join(lines))
    frames = read_file_list(folder / "noise.txt", classes)
    pred = (labels + random.integers(0, 3, 4000)) % classes
    status = np.where(random.random(4000) < 0.1, FrameStatus.MISSING, FrameStatus.OK)
    write_shard(folder / "save", "noise", frames, pred, 0.5 + random.random(4000) / 2, names, status)
    return folder / "save"


@pytest.mark.slow
def test_the_page_stays_below_2_megabytes(tmp_path, monkeypatch):
    save = noisy_save(tmp_path, 125)
    page = page_of(save)
    assert page.count('<section class="pair">') == results_page.PAIRS_SHOWN
    assert page.count("<figure") <= 200
    assert len(page.encode()) < 2_000_000
    monkeypatch.setattr(results_page, "PICTURES_SIZE", 100_000)
    page = page_of(save)
    assert 0 < page.count("data:image/jpeg;base64,") < 40
    assert "have no picture" in page
    assert len(page.encode()) < 400_000


# -- the command


def test_the_command_prints_pairs_and_calibration_below_the_scores(tmp_path, run):
    save = labelled_save(tmp_path)
    outcome = run("src/predict_repvgg.py", "--summarize", save)
    assert outcome.status == 0, outcome
    scores, pairs = outcome.out.index("Top-1 Acc"), outcome.out.index("All confused pairs")
    assert scores < pairs < outcome.out.index("expected calibration error")
    assert re.search(r"\| pong +\| space invaders +\| +3 \| +60\.00 \|", outcome.out)
    summary = dict(cells_of((save / "results/report.html").read_text(encoding="utf-8"), "summary"))
    error = summary["Expected calibration error"].removesuffix(" %")
    assert f"expected calibration error {error} (15 bins): mean probability 75.67, right 44.44" in outcome.out
    assert f"written: {save}/results/per_class.npy" in outcome.out
    assert "report.html" in outcome.out


def test_the_command_prints_ten_of_many_pairs_and_none_without_labels(tmp_path, run):
    many = run("src/predict_repvgg.py", "--summarize", noisy_save(tmp_path, 20))
    assert re.search(r"The 10 most confused of 40 pairs", many.out)
    write_shard(tmp_path / "none", "a", 3, 0, 0.5)
    none = run("src/predict_repvgg.py", "--summarize", tmp_path / "none")
    assert none.status == 0, none
    assert "calibration" not in none.out.replace("calibration.npy", "")
    assert "pairs" not in none.out.replace("confused_pairs.csv", "")


# -- in a browser


class Opened:
    """A page in the browser; at the end it must have asked for nothing and complained of nothing."""

    def __init__(self, browser, save: Path) -> None:
        page_of(save)
        self.page = browser.new_page(viewport={"width": 1280, "height": 900})
        self.requests, self.complaints = [], []
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.on("console", lambda message: self.complaints.append(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("dialog", lambda dialog: (self.complaints.append(dialog.message), dialog.dismiss()))
        self.page.goto((save / "results" / "report.html").as_uri())

    def column(self, table: str, name: str) -> list[str]:
        """The visible cells of a column from top to bottom."""
        names = [text.strip() for text in self.page.locator(f"#{table} thead th").all_inner_texts()]
        number = next(position for position, text in enumerate(names, 1) if text.startswith(name))
        return self.page.locator(f"#{table} tbody tr:visible td:nth-child({number})").all_inner_texts()

    def click(self, table: str, name: str) -> str:
        """Click the header of a column; its direction then."""
        header = self.page.locator(f"#{table} thead th", has_text=re.compile(f"^\\s*{name}\\b"))
        header.click()
        return header.get_attribute("aria-sort")

    def close(self) -> None:
        self.page.close()
        assert all(url.startswith(("file:", "data:")) for url in self.requests), self.requests
        assert sum(url.startswith("file:") for url in self.requests) == 1
        assert self.complaints == []


@pytest.fixture
def opened(browser, tmp_path):
    pages = []

    def open_page(save: Path) -> Opened:
        pages.append(Opened(browser, save))
        return pages[-1]

    yield open_page
    for each in pages:
        each.close()


def numbers_save(folder: Path) -> Path:
    """Supports of 12, 9, 2 and 1 frames, and a class without any; only some of the first are wrong."""
    labels = [0] * 12 + [1] * 9 + [2] * 2 + [3]
    pred = np.array(labels)
    pred[:3] = 1
    write_shard(folder / "save", "a", write_list(folder, "a", labels), pred, 0.9)
    return folder / "save"


def test_a_header_sorts_both_ways_and_numbers_as_numbers(tmp_path, opened):
    page = opened(numbers_save(tmp_path))
    assert page.click("classes", "Support") == "ascending"
    assert page.column("classes", "Support") == ["0", "1", "2", "9", "12"]
    assert page.click("classes", "Support") == "descending"
    assert page.column("classes", "Support") == ["12", "9", "2", "1", "0"]
    assert page.click("classes", "Class") == "ascending"
    assert page.column("classes", "Class") == ["9", "10", "pong", "space invaders", "蓝色"]
    assert page.page.locator("#classes th[aria-sort]").count() == 1
    assert page.click("classes", "Precision") == "ascending"
    assert page.column("classes", "Precision") == ["75.00", "100.00", "100.00", "100.00", "–"]
    assert page.click("classes", "Precision") == "descending"
    assert page.column("classes", "Precision") == ["100.00", "100.00", "100.00", "75.00", "–"]
    assert page.click("classes", "Mostly taken for") == "ascending"
    assert page.column("classes", "Mostly taken for") == ["space invaders", "", "", "", ""]
    assert page.click("classes", "F1") == "ascending"
    page.page.keyboard.press("Tab")
    page.page.keyboard.press("Enter")
    assert page.page.locator("#classes th", has_text="Mostly").get_attribute("aria-sort") == "ascending"


def test_the_filter_hides_rows_of_other_classes(tmp_path, opened):
    page = opened(numbers_save(tmp_path))
    field = page.page.locator("input[data-filters=classes]")
    output = page.page.locator("output")
    assert output.inner_text() == "5 of 5"
    field.fill("INVADERS")
    assert page.column("classes", "Class") == ["pong", "space invaders"]  # taken for it, and itself
    assert output.inner_text() == "2 of 5"
    page.click("classes", "Class")
    page.click("classes", "Class")
    assert page.column("classes", "Class") == ["space invaders", "pong"]
    field.fill("9")
    assert page.column("classes", "Class") == ["9"]  # no number of frames
    field.fill("蓝")
    assert page.column("classes", "Class") == ["蓝色"]
    field.fill("<nothing>")
    assert page.column("classes", "Class") == []
    field.fill("")
    assert len(page.column("classes", "Class")) == 5


def test_predicted_classes_sort_and_filter_too(tmp_path, opened):
    frames = write_list(tmp_path, "a", [-1] * 15)
    write_shard(tmp_path / "save", "a", frames, [0] * 2 + [1] * 10 + [2] * 3, 0.9)
    page = opened(tmp_path / "save")
    assert page.column("predicted", "Frames") == ["10", "3", "2", "0", "0"]
    assert page.click("predicted", "Frames") == "ascending"
    assert page.column("predicted", "Frames") == ["0", "0", "2", "3", "10"]
    page.page.locator("input[data-filters=predicted]").fill("pong")
    assert page.column("predicted", "Class") == ["pong"]
    assert page.page.locator("#unsure img").evaluate_all("all => all.every(each => each.naturalWidth == 160)")


def test_hostile_names_do_nothing_in_a_browser(tmp_path, opened):
    names = ("<script>alert(1)</script>", "<img src=x onerror=alert(2)>", "\" onclick='alert(3)'", "a" * 300, "</td>")
    frames = write_list(tmp_path, "a", [0, 1, 2, 3, 4])
    write_shard(tmp_path / "save", "a", frames, [1, 2, 3, 4, 0], 0.9, names)
    page = opened(tmp_path / "save")
    page.click("classes", "Class")
    page.page.locator("input[data-filters=classes]").fill("<")
    assert set(page.column("classes", "Class")) == {names[0], names[1], names[4], "a" * 300}
    assert page.page.evaluate("document.documentElement.scrollWidth <= innerWidth")

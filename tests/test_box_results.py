"""What is made of a detector's predictions: results, the page, COCO results, and pictures of single images."""

import contextlib
import io
import json
import re
import tarfile
from pathlib import Path

import numpy as np
import pytest
from box_frames import make_box_dataset
from conftest import contents, random_detector
from PIL import Image
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from game_classifier.frames.decode import FrameStatus, Preprocessing
from game_classifier.lists.box_list import read_box_list
from game_classifier.lists.filelist import FileList, list_of_images, read_file_list
from game_classifier.lists.tar_list import read_tar_list
from game_classifier.predict import results as results_module
from game_classifier.predict.coco import write_coco
from game_classifier.predict.predict_list import FORMAT
from game_classifier.predict.results import collect
from game_classifier.storage import write_json
from game_classifier.tasks.detection import average_precision as average_precision_module
from game_classifier.tasks.detection.average_precision import FrameResult, average_precision, coco_truth
from game_classifier.tasks.detection.found import true_boxes
from game_classifier.tasks.detection.rows import BOX, CORNERS, ROW

NAMES = ("red", "green", "blue")
WIDTH, HEIGHT = 128, 96  # of the frames of make_box_dataset


def write_shard(save: Path, frames: FileList, found: dict[int, list], names=NAMES, status=(), **manifest) -> None:
    """Finished predictions: row -> boxes (class, score, x1, y1, x2, y2), the best first."""
    rows = np.zeros(len(frames), ROW)
    rows["status"][: len(status)] = status
    read = rows["status"] == FrameStatus.OK
    rows["height"], rows["width"] = HEIGHT * read, WIDTH * read
    found = {row: boxes for row, boxes in found.items() if read[row]}
    rows["count"] = [len(found.get(row, ())) for row in range(len(frames))]
    rows["first"] = np.cumsum(rows["count"]) - rows["count"]
    boxes = np.array([(row, *box) for row in sorted(found) for box in found[row]], BOX)
    save.mkdir(exist_ok=True)
    stem = frames.source.stem
    np.save(save / f"{stem}.npy", rows)
    np.save(save / f"{stem}.boxes.npy", boxes)
    unread = [
        {"line": row + 1, "path": frames.paths[row], "reason": "missing"} for row in np.flatnonzero(~read).tolist()
    ]
    values = {"format": FORMAT, "task": "detection", "rows": len(frames), "least_score": 0.001, "root": ""}
    values |= {"not_read": {"missing": len(unread)} if unread else {}, "first_not_read": unread, "model": "/m/d.xml"}
    values |= {"list": str(frames.source), "list_sha256": frames.sha256, "class_names": list(names)}
    write_json(save / f"{stem}.json", values | manifest)


def noisy_boxes(frames: FileList, seed: int = 0) -> dict[int, list]:
    """The true boxes of each frame, moved, some of another class, some left out, and others where nothing is."""
    random, found = np.random.default_rng(seed), {}
    labels = read_box_list(frames.source, 3).boxes
    for row in range(len(frames)):
        boxes = []
        for box in true_boxes(labels.of(row), np.array([HEIGHT, WIDTH])):
            if random.random() < 0.8:
                label = int(box["class"]) if random.random() < 0.8 else int(random.integers(3))
                corners = np.clip(box["box"] + random.normal(0, 3, 4), 0, WIDTH)
                boxes.append((label, round(random.uniform(0.2, 1), 3), *np.float32(corners).tolist()))
        for _ in range(random.integers(4)):
            x, y = random.uniform(0, 60, 2)
            boxes.append((int(random.integers(3)), round(random.uniform(0.01, 0.5), 3), x, y, x + 30, y + 30))
        found[row] = sorted(boxes, key=lambda box: -box[1])
    return found


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    return make_box_dataset(tmp_path_factory.mktemp("boxes"), train=2, val=20)


@pytest.fixture
def frames(data) -> FileList:
    return read_file_list(data / "val.txt", 3)


def page_of(save: Path) -> str:
    collect(save).write(save / "results")
    return (save / "results" / "report.html").read_text(encoding="utf-8")


def cells_of(page: str, table: str) -> list[list[str]]:
    rows = page.partition(f'<table id="{table}"')[2].partition("</table>")[0].split("<tr>")[1:]
    return [re.findall(r"<t[dh][^>]*>([^<]*)</t[dh]>", row) for row in rows]


def section(page: str, title: str) -> str:
    return next((part for part in page.split("<h2>")[1:] if part.startswith(f"{title}</h2>")), "")


# Scores.


def pycocotools_ap(frames: FileList, coco_file: Path) -> float:
    """AP of the written file, read by the tool that defines the format."""
    labels = read_box_list(frames.source, 3).boxes
    size, nothing = np.array([HEIGHT, WIDTH]), np.zeros(0, average_precision_module.FOUND)
    true = {row + 1: FrameResult(true_boxes(labels.of(row), size), nothing) for row in range(len(frames))}
    with contextlib.redirect_stdout(io.StringIO()):
        known = COCO()
        known.dataset = coco_truth(true, 3)
        known.createIndex()
        evaluation = COCOeval(known, known.loadRes(str(coco_file)), "bbox")
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return evaluation.stats[0]


def test_average_precision_is_that_of_pycocotools_on_the_written_coco_results(tmp_path, frames):
    write_shard(tmp_path / "save", frames, noisy_boxes(frames))
    results = collect(tmp_path / "save")
    assert write_coco(tmp_path / "save", tmp_path / "out") == [tmp_path / "out" / "val.coco.json"]
    expected = pycocotools_ap(frames, tmp_path / "out" / "val.coco.json")
    assert 0.1 < expected < 0.9
    assert results.scores.figures()["ap"] == pytest.approx(expected, abs=1e-6)
    assert f"| {100 * expected:.2f} |" in results.describe()


def test_coco_results_have_the_lines_and_every_digit(tmp_path, frames):
    box = (2, 0.1, 1 / 3, 2.5, 100.1, 95.99999)
    write_shard(tmp_path, frames, {4: [box]})
    (path,) = write_coco(tmp_path, tmp_path)
    (read,) = json.loads(path.read_text())
    x1, y1, x2, y2 = np.float32(box[2:])
    assert (read["image_id"], read["category_id"], np.float32(read["score"])) == (5, 3, np.float32(0.1))
    assert np.float32(read["bbox"]).tolist() == [x1, y1, x2 - x1, y2 - y1]
    write_shard(tmp_path, frames, {})
    assert json.loads(write_coco(tmp_path, tmp_path)[0].read_text()) == []


def test_classes_counted_in_parts_have_the_same_average_precision(frames, monkeypatch, tmp_path):
    write_shard(tmp_path, frames, noisy_boxes(frames))
    results = collect(tmp_path).scores.results
    whole = average_precision(results, 3)
    monkeypatch.setattr(average_precision_module, "BOXES_AT_A_TIME", 30)
    assert len(list(average_precision_module._class_ranges(results, 3))) == 3
    parts = average_precision(results, 3)
    assert parts.figures == pytest.approx(whole.figures, nan_ok=True)
    np.testing.assert_array_equal(parts.precision, whole.precision)


@pytest.mark.parametrize("chunk", [1, 7, 1000])
def test_the_results_of_two_lists_whatever_the_parts_they_are_read_in(tmp_path, data, monkeypatch, chunk):
    monkeypatch.setattr(results_module, "ROWS_AT_A_TIME", chunk)
    lines = (data / "val.txt").read_text().splitlines()
    for name, part in (("a", lines[:12]), ("b", lines[12:])):
        (tmp_path / f"{name}.txt").write_text("".join(f"{data / line}\n" for line in part))
        frames = read_file_list(tmp_path / f"{name}.txt", 3)
        write_shard(tmp_path / "save", frames, noisy_boxes(frames, seed=len(part)), status=[FrameStatus.MISSING])
    save = tmp_path / "save"
    results = collect(save)
    tables = [np.load(save / name) for name in ("a.boxes.npy", "b.boxes.npy")]
    assert results.boxes == sum(map(len, tables))
    shown = [table[table["score"] >= 0.25] for table in tables]
    assert results.found.tolist() == sum(np.bincount(each["class"], minlength=3) for each in shown).tolist()
    pairs = [np.unique(each[["row", "class"]])["class"] for each in shown]
    assert results.frames.tolist() == sum(np.bincount(each, minlength=3) for each in pairs).tolist()
    assert len(results.scored) == 20 - 2
    results.write(save / "results")
    per_class = np.load(save / "results" / "per_class.npy", allow_pickle=False)
    confusion = np.load(save / "results" / "confusion.npy", allow_pickle=False)
    assert per_class["boxes"].sum() == confusion[:3].sum() == results.true
    right = per_class["boxes"] - per_class["missed"] - per_class["confused"]
    assert right.tolist() == np.diagonal(confusion)[:3].tolist()
    monkeypatch.setattr(results_module, "ROWS_AT_A_TIME", 5)
    collect(save).write(save / "again")
    assert contents(save / "again") == contents(save / "results")


def test_every_file_of_the_results(tmp_path, frames):
    save = tmp_path / "save"
    write_shard(save, frames, noisy_boxes(frames))
    page_of(save)
    scored = {"confusion.npy", "confusion.png", "precision_recall.png", "worst_frames.png"}
    always = {"per_class.npy", "per_class.csv", "report.html"}
    assert set(contents(save / "results")) == always | scored
    header = (save / "results" / "per_class.csv").read_text().splitlines()[0]
    assert header == "class,found,frames,boxes,missed,confused,false,ap,ap50"
    write_shard(save, frames, noisy_boxes(frames), list_sha256="of another list")
    page = page_of(save)
    assert set(contents(save / "results")) == always  # those of the scores are removed
    assert (save / "results" / "per_class.csv").read_text().startswith("class,found,frames\n")
    assert cells_of(page, "summary")[-1][0] == "Boxes with any score"


# Which lists are scored.


def test_wrong_labels_leave_a_list_without_scores_and_are_named(tmp_path, run):
    data = make_box_dataset(tmp_path / "data", train=2, val=3)
    frames = read_file_list(data / "val.txt", 3)
    write_shard(tmp_path / "save", frames, noisy_boxes(frames))
    labels = data / "val" / "labels" / "001.txt"
    labels.write_text("0 0.5 0.5 0.5\n")
    outcome = run("src/predict_repvgg.py", "--summarize", tmp_path / "save")
    assert outcome.status == 0
    assert f"{data}/val.txt is not scored: {labels}:1: 4 columns, but a box has five" in outcome.out
    assert "is not scored" in page_of(tmp_path / "save")
    for path in labels.parent.iterdir():
        path.write_text("")
    assert not collect(tmp_path / "save").has_scores  # background alone
    labels.unlink()
    assert "not scored" not in collect(tmp_path / "save").describe()


def test_a_least_score_that_lowers_the_average_precision_is_named(tmp_path, frames):
    write_shard(tmp_path, frames, noisy_boxes(frames), least_score=0.4)
    assert (
        "val.txt: predicted with a least score of 0.4, so its average precision is lower"
        in collect(tmp_path).describe()
    )


def test_folders_are_scored_too_and_tars_have_no_labels(tmp_path, data):
    folder = list_of_images(data / "val")
    write_shard(tmp_path / "folder", folder, {0: [(0, 0.9, 1, 1, 50, 50)]})
    assert collect(tmp_path / "folder").has_scores
    with tarfile.open(tmp_path / "val.tar", "w") as archive:
        archive.add(data / "val", "val")
    write_shard(tmp_path / "tar", read_tar_list(tmp_path / "val.tar"), {0: [(0, 0.9, 1, 1, 50, 50)]})
    page = page_of(tmp_path / "tar")
    assert not collect(tmp_path / "tar").has_scores
    assert "data:image/jpeg;base64," in page


# The page.


def test_the_page_of_labelled_frames(tmp_path, frames):
    save = tmp_path / "save"
    write_shard(save, frames, noisy_boxes(frames), status=[FrameStatus.MISSING])
    page = page_of(save)
    results = collect(save)
    summary = dict(cells_of(page, "summary"))
    ap = results.scores.figures()["ap"]
    assert summary | {"Frames": "20", "Read": "19", "Frames scored": "19", "AP": f"{100 * ap:.2f} %"} == summary
    rows = cells_of(page, "classes")[1:]
    assert [row[0] for row in rows] == [NAMES[label] for label in np.argsort(results.state["per_class"][:, 0])]
    assert cells_of(page, "unread")[1:] == [[f"{frames.source}:1", frames.paths[0], "missing"]]
    worst = section(page, "Frames with the most errors")
    rows_shown = [list(results.scored)[number][1] for number in results.state["worst"]]
    assert re.findall(r"val\.txt:(\d+)", worst) == [str(row + 1) for row in rows_shown]
    assert worst.count('class="true"') == sum(len(results.true_of(0, row)) for row in rows_shown)
    assert not re.search(r"https?://|@import|url\(", page)
    assert "have no picture" not in page


@pytest.mark.parametrize("chunk", [2, 1000])
def test_the_gallery_of_frames_without_labels(tmp_path, frames, monkeypatch, chunk):
    monkeypatch.setattr(results_module, "ROWS_AT_A_TIME", chunk)
    found = {
        1: [(2, 0.9, 10, 20, 30, 40), (2, 0.3, 0, 0, 5, 5)],
        2: [(0, 0.2, 1, 1, 9, 9)],
        3: [(2, 0.95, 1, 2, 3, 4)],
        5: [(0, 0.24, 1, 1, 9, 9), (1, 0.1, 1, 1, 9, 9)],
        6: [(0, 0.5, 7, 7, 9, 9)] * 4,
    }
    write_shard(tmp_path, frames, found)
    results = collect(tmp_path)
    results.true = 0  # as of a list without label files
    results.write(tmp_path / "results")
    page = (tmp_path / "results" / "report.html").read_text(encoding="utf-8")
    shown = {name: re.findall(r"val\.txt:(\d+)", section(page, name)) for name in ("The most boxes", "Nearly found")}
    assert shown == {"The most boxes": ["7", "2", "4"], "Nearly found": ["6", "3"]}
    surest = section(page, "The surest box of each class")
    assert re.findall(r"<b>(.*?)</b>", surest) == ["red 50.00 %", "blue 95.00 %"]  # by frequency
    assert cells_of(page, "classes")[1:] == [["red", "4", "1"], ["blue", "3", "2"], ["green", "0", "0"]]
    box = re.search(
        r'<title>blue, 90.00 %</title>\s*<rect x="([\d.]+)" y="([\d.]+)" width="([\d.]+)" height="([\d.]+)"', page
    )
    assert box.groups() == ("10.0", "20.0", "20.0", "20.0")
    assert f'<svg viewBox="0 0 {WIDTH} {HEIGHT}"' in page


def test_a_list_that_is_gone_has_frames_without_pictures(tmp_path, frames):
    write_shard(tmp_path, frames, {0: [(0, 0.9, 1, 1, 50, 50)]}, list="/gone/val.txt")
    page = page_of(tmp_path)
    assert "2 of the 2 frames shown have no picture" in page
    assert "data:image" not in page


def test_the_page_sorts_filters_and_draws_in_a_browser(tmp_path, frames, browser):
    names = ("<script>alert(1)</script>", "\" onclick='alert(3)'", "蓝色")
    write_shard(tmp_path, frames, noisy_boxes(frames), names)
    page_of(tmp_path)
    page, complaints = browser.new_page(viewport={"width": 1280, "height": 900}), []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("dialog", lambda dialog: (complaints.append(dialog.message), dialog.dismiss()))
    page.goto((tmp_path / "results" / "report.html").as_uri())
    page.locator("#classes thead th", has_text=re.compile(r"^\s*Found")).click()
    found = [int(text) for text in page.locator("#classes tbody td:nth-child(8)").all_inner_texts()]
    assert found == sorted(found)
    page.locator("input[data-filters=classes]").fill("蓝")
    assert page.locator("#classes tbody tr:visible td:first-child").all_inner_texts() == ["蓝色"]
    image = page.locator("svg image").first.bounding_box()
    assert image["width"] / image["height"] == pytest.approx(WIDTH / HEIGHT, rel=0.02)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.close()
    assert complaints == []


# Single images.


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    size = Preprocessing(64, 64, "letterbox", (0.0,) * 3, (1.0,) * 3)
    return random_detector(tmp_path_factory.mktemp("weights") / "random.pth", size, NAMES)


def test_images_have_their_boxes_printed_and_drawn(tmp_path, run, weights, data):
    image = data / "val" / "images" / "003.png"
    before = image.read_bytes()
    outcome = run("src/main_predict.py", "-w", weights, "-i", image, "--save", tmp_path / "new" / "pictures")
    assert (outcome.status, outcome.err) == (0, "")
    count = int(re.search(r"(\d+) boxes on 128 x 96 pixels", outcome.out)[1])
    assert count > 3
    drawn = tmp_path / "new" / "pictures" / "003_boxes.png"
    assert f"written: {drawn}" in outcome.out
    with Image.open(drawn) as picture, Image.open(image) as original:
        assert picture.size == original.size
        changed = np.abs(np.asarray(picture.convert("RGB")).astype(int) - np.asarray(original.convert("RGB"))).max(2)
    assert 0.02 < (changed > 60).mean() < 0.9
    assert image.read_bytes() == before
    more = run("src/main_predict.py", "-w", weights, "-i", image, "--least-score", 0.1)
    assert int(re.search(r"(\d+) boxes on", more.out)[1]) > count
    none = run("src/main_predict.py", "-w", weights, "-i", image, "--least-score", 1)
    assert "no box above a score of 100.00 on 128 x 96 pixels" in none.out


def test_boxes_are_those_of_batch_prediction(tmp_path, run, weights, data):
    image = data / "val" / "images" / "003.png"
    (tmp_path / "one.txt").write_text(f"{image}\n")
    assert run("src/predict_repvgg.py", "-w", weights, "--input", tmp_path / "one.txt", "--save", tmp_path).status == 0
    boxes = np.load(tmp_path / "one.boxes.npy")
    printed = run("src/main_predict.py", "-w", weights, "-i", image, "--least-score", 0.3).out
    best = boxes[0]
    line = [NAMES[best["class"]], f"{100 * best['score']:.2f}", *(f"{best[name]:.1f}" for name in CORNERS)]
    assert re.search(r"\|\s+".join(re.escape(word) + r"\s+" for word in line), printed)


def test_wrong_use_of_the_options_for_images(tmp_path, run, weights, data, trained):
    image = data / "val" / "images" / "003.png"

    def error(*options, network=weights):
        return run("src/main_predict.py", "-w", network, *options).error

    assert "--save: not for a list, which is scored" in error("-i", data / "val.txt", "--save", tmp_path)
    assert "--least-score: not for a list" in error("-i", data / "val.txt", "--least-score", 0.5)
    assert "classifier, which finds no boxes to draw" in error("-i", image, "--save", tmp_path, network=trained.best)
    assert "the network is a classifier" in error("-i", image, "--least-score", 0.5, network=trained.best)
    assert "least score 2: give a score from 0 to 1" in error("-i", image, "--least-score", 2)
    other = tmp_path / "003.jpg"
    Image.new("RGB", (9, 9)).save(other)
    same = error("-i", image, other, "--save", tmp_path)
    assert f"{other}: would be drawn into {tmp_path}/003_boxes.png, as {image}; give them in two runs" in same
    over = tmp_path / "003_boxes.png"
    Image.new("RGB", (9, 9)).save(over)
    assert f"would be drawn over {over}" in error("-i", other, over, "--save", tmp_path)


def test_scoring_a_list_and_predicting_it_give_the_same_average_precision(tmp_path, run, weights, data):
    scored = run("src/main_predict.py", "-w", weights, "-i", data / "val.txt", "--batch-size", 16).out
    predicted = run("src/predict_repvgg.py", "-w", weights, "--input", data / "val.txt", "--save", tmp_path).out

    def figures(text: str) -> list[str]:
        return re.search(r"\| +AP \| +AP50 \| +AP75 \|\n.*\n(\|.*\|)\n", text)[1].replace(" ", "").split("|")

    assert figures(scored) == figures(predicted)
    assert float(figures(predicted)[2]) > 0

"""Frames that show none of the classes: in lists, in predictions, in results, in the check, in the Python interface."""

import json
import re
import shutil
from dataclasses import replace

import numpy as np
import pytest
from conftest import CLASSES, NETWORK, draw_frame, make_class_folders, make_dataset
from sklearn.metrics import roc_auc_score
from test_check_dataset import Planted, draw_smooth
from test_results_page import NAMES, cells_of, section, write_list, write_shard

import game_classifier
from game_classifier.config import Config
from game_classifier.datasets.cut_list import lines_of_list
from game_classifier.datasets.write_lists import annotate
from game_classifier.errors import InputError
from game_classifier.frames.decode import read_frame
from game_classifier.lists.dataset import read_dataset
from game_classifier.lists.filelist import UNKNOWN, UNLABELLED, read_file_list
from game_classifier.models.checkpoint import load_checkpoint, save_checkpoint
from game_classifier.models.refusals import Refusals
from game_classifier.predict.results import collect
from game_classifier.runtime.runner import load_runner
from game_classifier.scoring.refusal import Refusing
from game_classifier.tasks.choose import task_of

TABLE = Refusals((0.01, 0.1, 0.5), (0.2, 0.5, 0.9), (0.5, 0.7, 0.9), 0.01)

# -- lists


def test_a_line_may_say_that_its_frame_shows_none_of_the_classes(tmp_path):
    (tmp_path / "list.txt").write_text("a b.jpg 2\nmenu.png unknown\nunknown 1\nc.jpg\nunknown\n")
    frames = read_file_list(tmp_path / "list.txt", 3)
    assert frames.labels.tolist() == [2, UNKNOWN, 1, UNLABELLED, UNLABELLED]
    assert [path.rpartition("/")[2] for path in frames.paths] == ["a b.jpg", "menu.png", "unknown", "c.jpg", "unknown"]
    assert lines_of_list(frames, tmp_path)[:4] == ["a b.jpg 2", "menu.png unknown", "unknown 1", "c.jpg"]


@pytest.mark.parametrize("index", ["-1", "-2", "3"])
def test_the_numbers_of_unlabelled_and_unknown_lines_are_no_indices(tmp_path, index):
    (tmp_path / "list.txt").write_text(f"a.jpg {index}\n")
    with pytest.raises(InputError, match=f"list.txt:1: class {index} is out of range"):
        read_file_list(tmp_path / "list.txt", 3)


def test_a_data_set_has_a_background_list(tmp_path):
    data = make_dataset(tmp_path / "data", train=2, val=2)
    assert read_dataset(data).background is None
    menus = make_class_folders(tmp_path / "menus", 2, ("menu", "desktop"))
    annotate(data, None, allow_missing=False, background=menus)
    background = read_dataset(data).background
    assert len(background) == 4
    assert (background.labels == UNLABELLED).all()
    assert read_frame(background.paths[0], load_preprocessing()).shape == (32, 32, 3)
    (data / "background.txt").write_text("../menus/menu/0_0.jpg unknown\n")
    assert len(read_dataset(data).background) == 1


def load_preprocessing():
    return Config(image_size=32).preprocessing()


@pytest.mark.parametrize(
    ("name", "line", "said"),
    [
        (
            "background.txt",
            "val/green/100.jpg 1",
            "background.txt:1: class 1 after the path; background frames show no",
        ),
        ("background.txt", "gone.jpg", "background.txt:1: no such file"),
        ("val.txt", "val/green/100.jpg unknown", "val.txt:1: training and validation lists hold frames of the classes"),
    ],
)
def test_a_wrong_line_is_named(tmp_path, name, line, said):
    data = make_dataset(tmp_path / "data", train=2, val=2)
    (data / name).write_text(f"{line}\n")
    with pytest.raises(InputError, match=said):
        read_dataset(data)


def test_a_folder_without_images_is_no_background(tmp_path, run):
    data = make_dataset(tmp_path / "data", train=2, val=2)
    (tmp_path / "empty").mkdir()
    outcome = run("tool/get_annotation.py", "--dataset", data, "--background", tmp_path / "empty")
    assert "holds no images" in outcome.error
    assert not (data / "background.txt").exists()


# -- figures


def test_the_figures_are_those_of_scikit_learn_and_of_counting():
    random = np.random.default_rng(0)
    labels = random.integers(-2, 3, 500)
    known = np.where(labels == UNKNOWN, random.beta(2, 3, 500), random.beta(4, 2, 500)).astype(np.float32)
    known[labels == UNLABELLED] = 0
    predicted = np.where(random.random(500) < 0.8, np.maximum(labels, 0), 2)
    counts = Refusing(3)
    for start in (0, 100, 107):
        end = {0: 100, 100: 107, 107: 500}[start]
        refused = counts.add(known[start:end], labels[start:end], predicted[start:end], 0.4)
        assert np.array_equal(refused, known[start:end] < 0.4)
    of_class, of_none = labels >= 0, labels == UNKNOWN
    summary = counts.summary()
    assert summary.refused == pytest.approx((known[of_class] < 0.4).mean())
    assert summary.coverage == pytest.approx(1 - summary.refused)
    answered = of_class & (known >= 0.4)
    assert summary.error == pytest.approx((predicted != labels)[answered].mean())
    assert summary.caught == pytest.approx((known[of_none] < 0.4).mean())
    both = of_class | of_none
    assert summary.auroc == pytest.approx(roc_auc_score(of_class[both], known[both]))
    threshold = np.quantile(known[of_none], 0.95, method="higher")
    assert summary.fpr95 == pytest.approx((known[of_class] <= threshold).mean(), abs=0.01)
    assert counts.confusion.sum() == both.sum()
    assert counts.refused_of_classes().sum() == (known[of_class] < 0.4).sum()
    assert counts.wrong_of_classes().sum() == (predicted != labels)[answered].sum()


def test_a_row_without_a_score_is_never_refused_and_figures_of_no_frames_are_no_numbers():
    counts = Refusing(2)
    assert not counts.add(np.full(2, np.nan, np.float32), np.array([0, 1]), np.array([0, 0]), 0.9).any()
    summary = counts.summary()
    assert (summary.refused, summary.error) == (0, 0.5)
    assert np.isnan([summary.caught, summary.auroc, summary.fpr95]).all()


# -- results


def shard_with_known(folder, known, labels, pred):
    """Predictions of a list whose frames exist, with these `known` scores."""
    folder.mkdir()
    lines, images = [], write_list(folder, "frames", [0] * len(labels)).paths
    for path, label in zip(images, labels, strict=True):
        lines.append(f"{path} {'unknown' if label == UNKNOWN else label}" if label != UNLABELLED else path)
    (folder / "frames.txt").write_text("".join(f"{line}\n" for line in lines))
    frames = read_file_list(folder / "frames.txt", len(NAMES))
    write_shard(folder / "save", "frames", frames, np.array(pred), np.full(len(pred), 0.7), refusals=TABLE.to_dict())
    rows = np.load(folder / "save" / "frames.npy")
    with_known = np.zeros(len(rows), task_of(NETWORK).rows.dtype(len(NAMES), with_known=True))
    for name in rows.dtype.names:
        with_known[name] = rows[name]
    with_known["known"] = known
    np.save(folder / "save" / "frames.npy", with_known)
    return folder / "save"


@pytest.fixture
def mixed(tmp_path):
    """Two frames of class 0 (one refused at 10%), a wrong one of class 1, unknown ones, and an unlabelled one."""
    known = [0.95, 0.3, 0.8, 0.1, 0.4, 0.97, 0.05]
    labels = [0, 0, 1, UNKNOWN, UNKNOWN, UNKNOWN, UNLABELLED]
    return shard_with_known(tmp_path / "mixed", known, labels, [0, 0, 2, 3, 3, 4, 1])


def test_the_threshold_moves_without_predicting_again(mixed, run):
    for rate, refused, caught in ((None, "0.00", "33.33"), (0.1, "33.33", "66.67"), (0.0, "0.00", "0.00")):
        chosen = [] if rate is None else ["--refuse", rate]
        outcome = run("src/predict_repvgg.py", "--summarize", mixed, *chosen)
        assert outcome.status == 0
        page = (mixed / "results" / "report.html").read_text(encoding="utf-8")
        figures = dict(cells_of(page, "refusing"))
        assert (figures["Known refused"], figures["Unknown refused"]) == (refused, caught)
        assert f"Refused at {TABLE.default if rate is None else rate:g}" in outcome.out
    assert figures["AUROC, known against unknown"] == "55.56"


def test_refusals_are_counted_apart_from_errors(mixed):
    collect(mixed, 0.1).write(mixed / "results")
    per_class = np.load(mixed / "results" / "per_class.npy")
    assert per_class["support"].tolist() == [2, 1, 0, 0, 0]
    assert per_class["refused"].tolist() == [1, 0, 0, 0, 0]
    assert per_class["wrong"].tolist() == [0, 1, 0, 0, 0]
    assert per_class["tp"].tolist() == [2, 0, 0, 0, 0]  # of the likeliest class, as ever
    confusion = np.load(mixed / "results" / "confusion.npy")
    expected = np.zeros((6, 6), int)
    expected[0, 0] = expected[0, 5] = expected[1, 2] = expected[5, 4] = 1
    expected[5, 5] = 2
    assert np.array_equal(confusion, expected)
    header = (mixed / "results" / "per_class.csv").read_text(encoding="utf-8").splitlines()[0]
    assert header == "class,support,tp,fp,fn,precision,recall,f1,wrong,refused"
    assert (mixed / "results" / "confusion.png").is_file()


def test_the_page_shows_what_was_refused_and_what_slipped_through(mixed):
    collect(mixed, 0.1).write(mixed / "results")
    part = section((mixed / "results" / "report.html").read_text(encoding="utf-8"), "Refused frames")
    assert '<svg id="roc"' in part
    gallery, _, slipped = part.partition("not refused: the highest")
    assert gallery.count("<figure>") == 2  # a frame of class 0, and the unlabelled one
    assert gallery.index("5.00 %") < gallery.index("30.00 %")
    assert slipped.count("<figure>") == 1
    assert "97.00 %" in slipped
    assert "<bdi>unknown</bdi>" in slipped
    assert part.count("<img") == 3


def test_results_of_a_network_without_the_score_are_as_before_and_say_so(tmp_path, run):
    frames = write_list(tmp_path, "old", [0, 1])
    write_shard(tmp_path / "save", "old", frames, np.array([0, 0]), np.full(2, 0.7))
    assert "known" not in np.load(tmp_path / "save" / "old.npy").dtype.names
    silent = run("src/predict_repvgg.py", "--summarize", tmp_path / "save")
    assert "known" not in silent.out
    assert np.load(tmp_path / "save" / "results" / "confusion.npy").shape == (5, 5)
    assert "refused" not in np.load(tmp_path / "save" / "results" / "per_class.npy").dtype.names
    assert section((tmp_path / "save" / "results" / "report.html").read_text(encoding="utf-8"), "Refused frames") == ""
    asked = run("src/predict_repvgg.py", "--summarize", tmp_path / "save", "--refuse", 0.05)
    assert asked.status == 0
    assert "1 list(s) have no `known` score" in asked.out


@pytest.mark.parametrize(("rate", "said"), [("0.7", "refusal rate 0.7: give the share"), ("0.001", "begin at 0.01")])
def test_a_rate_that_cannot_be_is_one_line(mixed, run, rate, said):
    assert said in run("src/predict_repvgg.py", "--summarize", mixed, "--refuse", rate).error


def test_a_rate_out_of_range_in_the_recipe_is_named(tmp_path, run):
    outcome = run("src/main_train.py", "-i", tmp_path, "-o", tmp_path / "out", "--set", "refuse=0.6")
    assert "refuse: input should be less than or equal to 0.5, not 0.6" in outcome.error


# -- commands on a network that has the score


def test_rows_have_the_score_of_their_frames(calibrated, tmp_path, run):
    (tmp_path / "list.txt").write_text(
        "".join(
            f"{calibrated.dataset}/val/green/{number}.jpg{label}\n"
            for number, label in ((100, " 1"), (101, " unknown"), (999, ""))
        )
    )
    outcome = run(
        "src/predict_repvgg.py", "-w", calibrated.best, "--input", tmp_path / "list.txt", "--save", tmp_path / "save"
    )
    assert outcome.status == 0
    assert "Refused at 0.01" in outcome.out
    rows, runner = np.load(tmp_path / "save" / "list.npy"), load_runner(calibrated.best, "cpu")
    assert rows["label"].tolist() == [1, UNKNOWN, UNLABELLED]
    for row, number in enumerate((100, 101)):
        frame = read_frame(calibrated.dataset / "val" / "green" / f"{number}.jpg", runner.preprocessing)
        assert rows["known"][row] == pytest.approx(runner.answer(frame[None])[1][0], abs=1e-4)
        assert rows["pred"][row] == rows["probs"][row].argmax()
    assert np.isnan(rows["known"][2])
    manifest = json.loads((tmp_path / "save" / "list.json").read_text(encoding="utf-8"))
    assert Refusals.from_dict(manifest["refusals"]) == runner.refusals
    shown = run("src/main_predict.py", "-w", calibrated.best, "-i", f"{calibrated.dataset}/val/green/100.jpg")
    shown_known = re.search(r"^known ([\d.]+)% \(threshold", shown.out, re.MULTILINE)[1]
    assert float(shown_known) == pytest.approx(100 * rows["known"][0], abs=0.01)


def test_the_python_interface_refuses_frames(calibrated, trained, tmp_path):
    path = calibrated.dataset / "val" / "green" / "100.jpg"
    half = game_classifier.load(calibrated.best, refuse=0.5)
    frames = np.stack([np.asarray(draw_frame(1, number, (32, 32))) for number in range(40)])
    probabilities, known = half.answer(frames)
    assert np.array_equal(half.classify(frames), probabilities)
    answers = list(half.classify_frames(frames))
    assert [answer.refused for answer in answers] == (known < half.refuse_below).tolist()
    assert 0 < sum(answer.refused for answer in answers) < 40
    assert answers[0].known == known[0]
    never = game_classifier.load(calibrated.best, refuse=0)
    assert not any(answer.refused for answer in never.classify_files([path, path]))
    missing = next(never.classify_files([tmp_path / "gone.jpg"]))
    assert (missing.error, missing.refused) == ("missing", False)
    assert np.isnan(missing.known)
    old = game_classifier.load(trained.best)  # its validation list was too short for the score
    assert old.refuse_below is None
    assert old.answer(frames)[1] is None
    assert np.isnan(next(old.classify_files([path])).known)
    with pytest.raises(InputError, match="does not give the `known` score"):
        game_classifier.load(trained.best, refuse=0.05)


def test_the_score_is_added_to_a_checkpoint_and_background_frames_teach_it(calibrated, tmp_path, run):
    data = shutil.copytree(calibrated.dataset, tmp_path / "data")
    checkpoint = load_checkpoint(calibrated.best)
    save_checkpoint(tmp_path / "old.pth", replace(checkpoint, known=None))
    arguments = ("tool/fit_known.py", "-w", tmp_path / "old.pth", "-i", data, "-o", tmp_path / "new.pth")
    assert "Outliers Caught" in run(*arguments).out
    again = load_checkpoint(tmp_path / "new.pth")
    assert again.refusals.rates == checkpoint.refusals.rates
    assert again.state_dict.keys() == checkpoint.state_dict.keys()
    # Menus that look like a class: made-up outliers do not.
    (data / "menus").mkdir()
    for number in range(60):
        draw_frame(1, 1000 + number).save(data / "menus" / f"{number:02}.jpg", quality=95)
    annotate(data, None, allow_missing=False, background=data / "menus")
    assert run(*arguments, "--refuse", 0.05).status == 0
    taught = load_checkpoint(tmp_path / "new.pth")
    assert taught.refusals.default == 0.05
    menus = np.stack([read_frame(data / "menus" / f"{number:02}.jpg", taught.preprocessing) for number in range(60)])
    before, after = (load_runner(path, "cpu").answer(menus)[1] for path in (calibrated.best, tmp_path / "new.pth"))
    assert after.mean() < before.mean() - 0.1


def test_commands_on_a_network_without_the_score_say_so(trained, tmp_path, run):
    frame = trained.dataset / "val" / "green" / "100.jpg"
    (tmp_path / "list.txt").write_text(f"{frame} 1\n")
    line = "no frame is refused: the network has no `known` score; tool/fit_known.py adds it"
    predicted = run(
        "src/predict_repvgg.py", "-w", trained.best, "--input", tmp_path / "list.txt", "--save", tmp_path / "s"
    )
    shown = run("src/main_predict.py", "-w", trained.best, "-i", frame)
    converted = run("src/main_convert.py", "-w", trained.best, "-o", tmp_path / "pt", "--formats", "pt")
    for outcome in (predicted, shown, converted):
        assert outcome.status == 0
        assert outcome.out.splitlines().count(line) == 1


def test_bad_input_of_fit_known_is_one_line(calibrated, trained, tmp_path, run):
    common = ("tool/fit_known.py", "-o", tmp_path / "new.pth")
    assert "refusal rate 0.9" in run(*common, "-w", calibrated.best, "-i", calibrated.dataset, "--refuse", 0.9).error
    short = run(*common, "-w", trained.best, "-i", trained.dataset)
    assert "12 validation frames, 100 needed" in short.error
    (tmp_path / "other").mkdir()
    other = make_dataset(tmp_path / "other" / "data", train=2, val=2)
    (other / "annotations.txt").write_text(
        "".join(f"{name} {2 - i}\n" for i, name in enumerate(CLASSES)), encoding="utf-8"
    )
    (other / "lists.json").unlink()
    assert "its classes, or their order, differ" in run(*common, "-w", calibrated.best, "-i", other).error
    assert not (tmp_path / "new.pth").exists()


# -- the check


def test_a_background_frame_that_looks_like_a_frame_of_a_class_is_reported(tmp_path, run):
    planted = Planted(tmp_path, run)
    twin, other = tmp_path / "twin.jpg", tmp_path / "menu.jpg"
    draw_smooth((1, 2)).save(twin, quality=60)
    draw_smooth((50, 50)).save(other, quality=95)
    (tmp_path / "background.txt").write_text("twin.jpg\nmenu.jpg unknown\n")
    outcome, findings = planted.check()
    assert outcome.status == 1
    (finding,) = findings
    kind, path, against = finding
    assert kind == "label_conflict"
    assert {path.rpartition("/")[2], against.rpartition("/")[2]} == {"twin.jpg", "1_2.jpg"}
    assert "'unknown'" in findings[finding]
    planted.check("--fix-lists")
    assert (tmp_path / "background.fixed.txt").read_text() == "menu.jpg unknown\n"
    assert len((tmp_path / "train.fixed.txt").read_text(encoding="utf-8").splitlines()) == 18

import json
import os

import numpy as np
import pytest
from conftest import make_dataset

from game_classifier.data.filelist import read_file_list
from game_classifier.data.frames import FrameStatus, read_frame
from game_classifier.deploy.runtime import load_classifier
from game_classifier.errors import InputError
from game_classifier.predict import shard
from game_classifier.predict.results import collect, write_results
from game_classifier.predict.run import find_lists, predict_lists
from game_classifier.predict.shard import read_shards, row_type


@pytest.fixture
def classifier(trained):
    return load_classifier(trained.best)


def predict(classifier, save, *lists, batch_size=4, threads=3):
    frames = [read_file_list(path, len(classifier.class_names)) for path in lists]
    return predict_lists(frames, classifier, save, batch_size, threads)


@pytest.fixture
def mixed_list(tmp_path):
    """A list whose files 0, 5 and the last cannot be read, with labelled and unlabelled lines."""
    data = make_dataset(tmp_path / "data", train=1, val=4)
    lines = (data / "val.txt").read_text(encoding="utf-8").splitlines()
    lines[3] = lines[3].rpartition(" ")[0]  # unlabelled
    for row, content in ((0, b""), (5, b"no image"), (11, None)):
        path = data / lines[row].rpartition(" ")[0]
        path.unlink()  # not written into: training and source may share it by a hard link
        if content is not None:
            path.write_bytes(content)
    (data / "mixed.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return data / "mixed.txt"


def test_row_i_is_line_i_whatever_the_files_are_like(tmp_path, classifier, mixed_list):
    predict(classifier, tmp_path / "save", mixed_list)
    table = np.load(tmp_path / "save" / "mixed.npy", mmap_mode="r", allow_pickle=False)
    frames = read_file_list(mixed_list, 3)
    assert table.dtype == row_type(3)
    assert len(table) == len(frames) == 12
    expected_status = np.zeros(12, int)
    expected_status[[0, 5, 11]] = FrameStatus.EMPTY, FrameStatus.NOT_AN_IMAGE, FrameStatus.MISSING
    np.testing.assert_array_equal(table["status"], expected_status)
    np.testing.assert_array_equal(table["label"], frames.labels)
    assert table["label"][3] == -1
    for row, path in enumerate(frames.paths):
        if expected_status[row]:
            assert table["pred"][row] == -1
            assert table["score"][row] == 0
            assert not table["probs"][row].any()
            continue
        probabilities = classifier(read_frame(path, classifier.preprocessing)[None])[0]
        np.testing.assert_allclose(table["probs"][row], probabilities, atol=1e-4)
        assert table["pred"][row] == probabilities.argmax()
        assert table["score"][row] == table["probs"][row].max()


def test_the_manifest_says_what_the_rows_were_made_from(tmp_path, classifier, mixed_list):
    predict(classifier, tmp_path / "save", mixed_list)
    manifest = json.loads((tmp_path / "save" / "mixed.json").read_text(encoding="utf-8"))
    assert manifest["rows"] == 12
    assert manifest["not_read"] == {"empty": 1, "missing": 1, "not_an_image": 1}
    assert [each["line"] for each in manifest["first_not_read"]] == [1, 6, 12]
    assert manifest["class_names"] == list(classifier.class_names)
    assert manifest["model_sha256"] == classifier.sha256()
    assert sorted(path.name for path in (tmp_path / "save").iterdir()) == ["mixed.json", "mixed.npy"]


def test_batch_size_and_threads_do_not_change_a_prediction(tmp_path, classifier, mixed_list):
    predict(classifier, tmp_path / "one", mixed_list, batch_size=1, threads=1)
    predict(classifier, tmp_path / "many", mixed_list, batch_size=64, threads=4)
    one, many = (np.load(tmp_path / name / "mixed.npy") for name in ("one", "many"))
    np.testing.assert_array_equal(one["pred"], many["pred"])
    np.testing.assert_allclose(one["probs"], many["probs"], atol=1e-4)


def test_finished_lists_are_kept_and_changed_ones_redone(tmp_path, classifier, trained):
    save, lists = tmp_path / "save", tmp_path / "lists"
    lists.mkdir()
    lines = [f"{trained.dataset}/{line}\n" for line in (trained.dataset / "val.txt").read_text().splitlines()]
    (lists / "a.txt").write_text("".join(lines[:5]))
    (lists / "b.txt").write_text("".join(lines[5:]))
    assert predict(classifier, save, *find_lists(lists)) == 0
    before = {path.name: path.stat().st_mtime_ns for path in save.glob("*.npy")}
    (lists / "b.txt").write_text("".join(lines[4:]))
    assert predict(classifier, save, *find_lists(lists)) == 1
    after = {path.name: path.stat().st_mtime_ns for path in save.glob("*.npy")}
    assert before["a.npy"] == after["a.npy"]
    assert before["b.npy"] != after["b.npy"]
    assert len(np.load(save / "b.npy")) == len(lines) - 4


def test_the_class_list_of_a_data_set_is_no_list_of_frames(trained):
    assert [path.name for path in find_lists(trained.dataset)] == ["train.txt", "val.txt"]


def test_a_killed_prediction_leaves_no_half_shard(tmp_path, classifier, mixed_list, monkeypatch):
    calls = []

    def stop_in_the_second_batch(frames):
        calls.append(1)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return type(classifier).__call__(classifier, frames)

    broken = type("Broken", (), {"__call__": lambda self, frames: stop_in_the_second_batch(frames)})()
    for name in ("class_names", "preprocessing", "precision", "source", "sha256"):
        setattr(broken, name, getattr(classifier, name))
    with pytest.raises(KeyboardInterrupt):
        predict(broken, tmp_path / "save", mixed_list)
    assert list((tmp_path / "save").iterdir()) == []
    predict(classifier, tmp_path / "save", mixed_list)
    assert len(np.load(tmp_path / "save" / "mixed.npy")) == 12


def test_a_manifest_never_describes_another_array(tmp_path, classifier, trained, monkeypatch):
    save, path = tmp_path / "save", tmp_path / "a.txt"
    lines = [f"{trained.dataset}/{line}\n" for line in (trained.dataset / "val.txt").read_text().splitlines()]
    path.write_text("".join(lines))
    predict(classifier, save, path)
    whole = np.load(save / "a.npy")
    path.write_text("".join(lines[::-1]))

    def die(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(shard, "write_json", die)  # after the new array is in place
    with pytest.raises(KeyboardInterrupt):
        predict(classifier, save, path)
    monkeypatch.undo()
    path.write_text("".join(lines))
    assert predict(classifier, save, path) == 0
    np.testing.assert_array_equal(np.load(save / "a.npy")["label"], whole["label"])


def test_results_count_each_labelled_frame_that_was_read_once(tmp_path, classifier, mixed_list, trained):
    save = tmp_path / "save"
    predict(classifier, save, mixed_list, trained.dataset / "val.txt")
    results = collect(save)
    per_class = write_results(results, save / "results")
    tables = [np.load(save / name) for name in ("mixed.npy", "val.npy")]
    rows = np.concatenate([table[(table["status"] == 0) & (table["label"] >= 0)] for table in tables])
    assert results.rows == 24
    assert results.unlabelled == 1
    assert results.not_read.total() == 3
    expected = np.zeros((3, 3), int)
    np.add.at(expected, (rows["label"], rows["pred"]), 1)
    np.testing.assert_array_equal(np.load(save / "results" / "confusion.npy"), expected)
    assert per_class["support"].sum() == len(rows)
    stored = np.load(save / "results" / "per_class.npy", allow_pickle=False)
    np.testing.assert_array_equal(stored, per_class)
    lines = (save / "results" / "per_class.csv").read_text(encoding="utf-8").splitlines()
    assert lines[0] == "class,support,tp,fp,fn,precision,recall,f1"
    assert lines[3].startswith("蓝色,")
    assert len(lines) == 4


def test_results_of_other_class_lists_or_of_nothing_are_refused(tmp_path, classifier, mixed_list):
    with pytest.raises(InputError, match="no finished predictions"):
        read_shards(tmp_path / "none")
    predict(classifier, tmp_path / "save", mixed_list)
    manifest = json.loads((tmp_path / "save" / "mixed.json").read_text())
    (tmp_path / "save" / "other.json").write_text(json.dumps(manifest | {"class_names": ["x", "y", "z"]}))
    os.link(tmp_path / "save" / "mixed.npy", tmp_path / "save" / "other.npy")
    with pytest.raises(InputError, match=r"other.json: made with another class list"):
        read_shards(tmp_path / "save")
    (tmp_path / "save" / "other.json").write_text(json.dumps(manifest | {"rows": 13}))
    with pytest.raises(InputError, match=r"12 rows, its manifest says 13"):
        read_shards(tmp_path / "save")

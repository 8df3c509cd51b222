import errno
import hashlib
import io
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from conftest import NETWORK, contents, make_dataset

from game_classifier.deploy.export import convert
from game_classifier.deploy.gate import GateFrames
from game_classifier.errors import InputError
from game_classifier.frames.decode import FrameStatus, read_frame
from game_classifier.lists.filelist import read_file_list
from game_classifier.lists.folders import list_images
from game_classifier.lists.tar_list import read_tar_list
from game_classifier.models.checkpoint import load_checkpoint
from game_classifier.predict import predict_list
from game_classifier.predict.open_lists import find_lists, predict_lists, read_list
from game_classifier.predict.predict_list import Predictor
from game_classifier.predict.results import collect
from game_classifier.predict.shards import read_shards
from game_classifier.runtime.fastest import fastest_file
from game_classifier.runtime.runner import load_runner
from game_classifier.tasks.choose import task_of


@pytest.fixture
def classifier(trained):
    return load_runner(trained.best)


@pytest.fixture
def runner(either):
    return load_runner(either.best)


def predict(runner, save, *lists, batch_size=4, threads=3):
    frames = [read_list(path, runner, None) for path in lists]
    return predict_lists(frames, Predictor(runner, threads, batch_size), save)


def rows_of(save, stem) -> list[bytes]:
    """All that was predicted for each row, boxes too, without what tells its place in the list."""
    rows, path = np.load(save / f"{stem}.npy"), save / f"{stem}.boxes.npy"
    if not path.exists():
        return [row.tobytes() for row in rows]
    boxes = np.load(path)
    kept = [name for name in boxes.dtype.names if name != "row"]
    parts = np.split(boxes[kept], rows["first"][1:])
    assert [len(part) for part in parts] == rows["count"].tolist()
    return [bytes(row["status"]) + repr(part.tolist()).encode() for row, part in zip(rows, parts, strict=True)]


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


def test_row_i_is_line_i_whatever_the_files_are_like(tmp_path, runner, mixed_list):
    predict(runner, tmp_path / "save", mixed_list)
    status = np.load(tmp_path / "save" / "mixed.npy", mmap_mode="r", allow_pickle=False)["status"]
    assert {row: status[row] for row in np.flatnonzero(status)} == {
        0: FrameStatus.EMPTY,
        5: FrameStatus.NOT_AN_IMAGE,
        11: FrameStatus.MISSING,
    }
    good = tmp_path / "data" / "good.txt"
    lines = mixed_list.read_text(encoding="utf-8").splitlines(keepends=True)
    good.write_text("".join(line for row, line in enumerate(lines) if not status[row]), encoding="utf-8")
    predict(runner, tmp_path / "save", good)
    mixed = rows_of(tmp_path / "save", "mixed")
    assert rows_of(tmp_path / "save", "good") == [row for row, bad in zip(mixed, status, strict=True) if not bad]


def test_the_fields_of_a_classifiers_rows(tmp_path, classifier, mixed_list):
    predict(classifier, tmp_path / "save", mixed_list)
    table = np.load(tmp_path / "save" / "mixed.npy", mmap_mode="r", allow_pickle=False)
    frames = read_file_list(mixed_list, 3)
    assert table.dtype == task_of(NETWORK).rows.dtype(3)
    assert len(table) == len(frames) == 12
    np.testing.assert_array_equal(table["label"], frames.labels)
    assert table["label"][3] == -1
    for row, path in enumerate(frames.paths):
        if table["status"][row]:
            assert table["pred"][row] == -1
            assert table["score"][row] == 0
            assert not table["probs"][row].any()
            continue
        probabilities = classifier(read_frame(path, classifier.preprocessing)[None])[0]
        np.testing.assert_allclose(table["probs"][row], probabilities, atol=1e-4)
        assert table["pred"][row] == probabilities.argmax()
        assert table["score"][row] == table["probs"][row].max()


def test_the_manifest_says_what_the_rows_were_made_from(tmp_path, runner, mixed_list):
    predict(runner, tmp_path / "save", mixed_list)
    manifest = json.loads((tmp_path / "save" / "mixed.json").read_text(encoding="utf-8"))
    assert manifest["rows"] == 12
    assert manifest["not_read"] == {"empty": 1, "missing": 1, "not_an_image": 1}
    assert [each["line"] for each in manifest["first_not_read"]] == [1, 6, 12]
    assert manifest["class_names"] == list(runner.class_names)
    assert manifest["model_sha256"] == runner.sha256()
    hashes = {"mixed.npy": "array_sha256"}
    if manifest["task"] == "detection":
        hashes["mixed.boxes.npy"] = "boxes_sha256"
        assert (manifest["least_score"], manifest["overlap"], manifest["most"]) == (0.001, 0.6, 300)
    files = contents(tmp_path / "save")
    assert set(files) == {"mixed.json", *hashes}
    assert {name: manifest[key] for name, key in hashes.items()} == {
        name: hashlib.sha256(files[name]).hexdigest() for name in hashes
    }


@pytest.fixture(scope="module")
def deployed(tmp_path_factory, everything):
    """The files of a conversion without INT8, by format."""
    folder = tmp_path_factory.mktemp("pt")
    endings = {"pt": "_cpp_deploy.pt", "onnx": ".onnx", "openvino": "_openvino.xml", "weights": "_openvino.bin"}
    source = everything.files[0].parent
    return {name: Path(shutil.copy(source / f"{NETWORK}{ending}", folder)) for name, ending in endings.items()}


@pytest.mark.parametrize("name", ["detector", "pth", "pt", "onnx", "openvino"])
def test_equal_frames_have_equal_rows_whatever_the_batch_the_position_and_the_threads(
    tmp_path, deployed, trained, detector, name
):
    checkpoints = {"detector": detector.best, "pth": trained.best}
    runner = load_runner({**checkpoints, **deployed}[name], "cpu")
    lines = [f"{trained.dataset}/{line}\n" for line in (trained.dataset / "val.txt").read_text().splitlines()]
    (tmp_path / "a.txt").write_text("".join(lines))
    (tmp_path / "b.txt").write_text("".join([*lines[3:], "missing.jpg 1\n", *lines[:3]]))
    a, b = tmp_path / "a.txt", tmp_path / "b.txt"
    for save, batch_size, threads in (("one", 1, 1), ("five", 5, 3), ("many", 64, 2)):
        predict(runner, tmp_path / save, a, b, batch_size=batch_size, threads=threads)
    expected = rows_of(tmp_path / "one", "a")
    assert len(set(expected)) == len(expected)
    for save in ("one", "five", "many"):
        assert contents(tmp_path / save) == contents(tmp_path / "one")
        after = rows_of(tmp_path / save, "b")
        assert after[:9] + after[10:] == expected[3:] + expected[:3]


def test_finished_lists_are_kept_and_changed_ones_redone(tmp_path, runner, trained):
    save, lists = tmp_path / "save", tmp_path / "lists"
    lists.mkdir()
    lines = [f"{trained.dataset}/{line}\n" for line in (trained.dataset / "val.txt").read_text().splitlines()]
    (lists / "a.txt").write_text("".join(lines[:5]))
    (lists / "b.txt").write_text("".join(lines[5:]))
    assert predict(runner, save, *find_lists(lists)) == 0
    before = {path.name: path.stat().st_mtime_ns for path in save.glob("*.npy")}
    (lists / "b.txt").write_text("".join(lines[4:]))
    assert predict(runner, save, *find_lists(lists)) == 1
    after = {path.name: path.stat().st_mtime_ns for path in save.glob("*.npy")}
    assert {name for name in before if before[name] == after[name]} == {"a.npy", "a.boxes.npy"} & set(before)
    assert len(np.load(save / "b.npy")) == len(lines) - 4


def test_the_class_list_of_a_data_set_is_no_list_of_frames(trained):
    assert [path.name for path in find_lists(trained.dataset)] == ["train.txt", "val.txt"]


def test_an_interrupted_prediction_leaves_no_half_shard(tmp_path, runner, mixed_list):
    calls = []

    def stop_in_the_second_batch(frames):
        calls.append(1)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return runner.infer(frames)

    broken = replace(runner, make_workers=lambda count, batch_size: [stop_in_the_second_batch] * count)
    with pytest.raises(KeyboardInterrupt):
        predict(broken, tmp_path / "save", mixed_list)
    assert list((tmp_path / "save").iterdir()) == []
    predict(runner, tmp_path / "save", mixed_list)
    assert len(np.load(tmp_path / "save" / "mixed.npy")) == 12


def test_a_manifest_never_describes_another_array(tmp_path, runner, trained, monkeypatch):
    save, path = tmp_path / "save", tmp_path / "a.txt"
    lines = [f"{trained.dataset}/{line}\n" for line in (trained.dataset / "val.txt").read_text().splitlines()]
    path.write_text("".join(lines))
    predict(runner, save, path)
    whole = contents(save)
    path.write_text("".join(lines[::-1]))

    def die(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(predict_list, "write_json", die)  # after the new array is in place
    with pytest.raises(KeyboardInterrupt):
        predict(runner, save, path)
    monkeypatch.undo()
    path.write_text("".join(lines))
    assert predict(runner, save, path) == 0
    assert contents(save) == whole


def test_results_count_each_labelled_frame_that_was_read_once(tmp_path, classifier, mixed_list, trained):
    save = tmp_path / "save"
    predict(classifier, save, mixed_list, trained.dataset / "val.txt")
    results = collect(save)
    results.write(save / "results")
    per_class = results.scores.per_class(results.class_names)
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
    with pytest.raises(InputError, match=r"has 12 rows, but its manifest says 13"):
        read_shards(tmp_path / "save")


def test_a_row_of_a_shard_that_two_runs_wrote_into_is_predicted_again(tmp_path, runner, mixed_list):
    save = tmp_path / "save"
    predict(runner, save, mixed_list)
    whole = contents(save)
    for name in whole.keys() - {"mixed.json"}:
        np.save(save / name, np.roll(np.load(save / name), 1))
        assert predict(runner, save, mixed_list) == 0
        assert contents(save) == whole
    (save / "mixed.json").write_text("{")
    assert predict(runner, save, mixed_list) == 0
    assert predict(runner, save, mixed_list) == 1


def test_a_list_that_changes_meanwhile_is_refused(tmp_path, runner, mixed_list):
    def change(frames):
        with mixed_list.open("a") as file:
            file.write("more.jpg 1\n")
        return runner.infer(frames)

    changing = replace(runner, make_workers=lambda count, batch_size: [change] * count)
    with pytest.raises(InputError, match=r"mixed.txt: changed while its frames were predicted; run the same command"):
        predict(changing, tmp_path / "save", mixed_list)
    assert list((tmp_path / "save").iterdir()) == []


def test_a_full_disk_is_one_line_and_leaves_nothing(tmp_path, run, either, monkeypatch):
    def refuse(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", refuse)
    options = ("-w", either.best, "--input", either.dataset / "val.txt", "--save", tmp_path / "save")
    assert re.search(
        rf"{tmp_path}/save/val\.(boxes\.)?npy: No space left", run("src/predict_repvgg.py", *options).error
    )
    assert list((tmp_path / "save").iterdir()) == []


def test_folders_and_tars_of_images(tmp_path, runner, trained):
    folder = trained.dataset / "val"
    tar = tmp_path / "frames.tar"
    with tarfile.open(tar, "w") as archive:
        archive.add(folder, "val", filter=lambda member: None if "notes" in member.name else member)
        archive.addfile(tarfile.TarInfo("notes.txt"))
        for name, data in (("empty.jpg", b""), ("broken.png", b"no picture")):
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    assert find_lists(folder) == [folder]
    predict(runner, tmp_path / "save", folder, tar)
    status = np.load(tmp_path / "save" / "frames.npy")["status"]
    assert status.tolist() == [0] * 12 + [FrameStatus.EMPTY, FrameStatus.NOT_AN_IMAGE]
    of_folder, of_tar = (rows_of(tmp_path / "save", name) for name in ("val", "frames"))
    members = [path.rpartition("val/")[2] for path in read_tar_list(tar).paths[:12]]
    order = [list_images(folder).index(name) for name in members]
    assert of_tar[:12] == [of_folder[row] for row in order]
    assert predict(runner, tmp_path / "save", folder, tar) == 2
    os.utime(tar, ns=(1, 1))
    assert predict(runner, tmp_path / "save", tar) == 0


def test_tars_that_cannot_be_used(tmp_path):
    (tmp_path / "text.tar").write_text("hello")
    with tarfile.open(tmp_path / "small.tar.gz", "w:gz") as archive:
        archive.add(__file__, "a.jpg")
    (tmp_path / "small.tar.gz").rename(tmp_path / "packed.tar")
    for name in ("text.tar", "packed.tar"):
        with pytest.raises(InputError, match=f"{name}: not an uncompressed tar"):
            read_tar_list(tmp_path / name)
    with tarfile.open(tmp_path / "none.tar", "w") as archive:
        archive.add(__file__, "test.py")
    with pytest.raises(InputError, match=r"none.tar: holds no images"):
        read_tar_list(tmp_path / "none.tar")


def test_the_fastest_file_of_the_same_conversion_runs_on_request_the_file_itself(tmp_path, run, trained, deployed):
    options = ("-w", deployed["pt"], "--input", trained.dataset / "val.txt", "--device", "cpu")
    fast = run("src/predict_repvgg.py", *options, "--save", tmp_path / "fast")
    assert "repvgg_tiny_openvino.xml with OpenVINO in " in fast.out
    assert "and faster here; --runtime file runs the .pt file" in fast.out
    itself = run("src/predict_repvgg.py", *options, "--save", tmp_path / "file", "--runtime", "file")
    assert "repvgg_tiny_cpp_deploy.pt with TorchScript in fp32 on cpu; 2 threads, batches of 32" in itself.out
    other = tmp_path / "other" / deployed["openvino"].name
    other.parent.mkdir()
    shutil.copy(deployed["pt"], other.parent)
    known = load_checkpoint(trained.best)
    known.state_dict["head.fc.bias"] += 0.01
    assert fastest_file(other.parent / deployed["pt"].name, "cpu").suffix == ".pt"
    convert(known, other.parent, GateFrames(np.zeros((1, 32, 32, 3), np.uint8), np.array([-1])), formats=["openvino"])
    assert fastest_file(other.parent / deployed["pt"].name, "cpu").suffix == ".pt"  # of other weights


def test_two_threads_may_be_the_first_to_use_openvino():
    """In a process of its own, which can only be killed when it hangs."""
    program = """
import sys, threading
from game_classifier.runtime.openvino_file import ov
sys.setswitchinterval(1e-6)
together = threading.Barrier(2)
def first():
    together.wait()
    ov.Type.u8.to_dtype()
threads = [threading.Thread(target=first) for _ in range(2)]
[each.start() for each in threads]
[each.join() for each in threads]
"""
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)

import shutil

import pytest
from conftest import CLASSES, ROOT, make_class_folders, make_dataset

from game_classifier.datasets.write_lists import annotate
from game_classifier.demo.atari import game_names
from game_classifier.errors import InputError
from game_classifier.lists.classes import read_class_names
from game_classifier.lists.dataset import read_dataset
from game_classifier.lists.filelist import read_file_list
from game_classifier.lists.manifest import require_same_classes


def test_lists_hold_every_image_of_its_side_by_class_index(tmp_path):
    data = make_dataset(tmp_path / "data", train=2, val=1)
    assert read_class_names(data / "annotations.txt") == tuple(sorted(CLASSES))
    assert (data / "train.txt").read_text(encoding="utf-8").splitlines() == [
        "train/green/0_0.jpg 0",
        "train/green/0_1.jpg 0",
        "train/red stripes/0_0.jpg 1",
        "train/red stripes/0_1.jpg 1",
        "train/蓝色/0_0.jpg 2",
        "train/蓝色/0_1.jpg 2",
    ]
    assert len(read_dataset(data).val) == 3


def test_new_classes_come_last_and_no_index_changes(tmp_path):
    data = make_dataset(tmp_path / "data", train=1, val=1)
    make_class_folders(data / "train", 1, ("alien",))
    new, counts, _ = annotate(data, None, allow_missing=False)
    assert new == ["alien"]
    assert list(counts) == [*sorted(CLASSES), "alien"]
    assert counts["alien"] == {"train": 1, "val": 0}
    assert read_class_names(data / "annotations.txt") == (*sorted(CLASSES), "alien")


def test_a_class_file_elsewhere_gives_the_order_and_takes_the_new_classes(tmp_path):
    data, classes = make_dataset(tmp_path / "data", train=1, val=1), tmp_path / "classes.txt"
    classes.write_text("蓝色 0\ngreen 1\n", encoding="utf-8")
    annotate(data, classes, allow_missing=False)
    assert read_class_names(classes) == read_class_names(data / "annotations.txt") == ("蓝色", "green", "red stripes")
    assert "train/蓝色/0_0.jpg 0" in (data / "train.txt").read_text(encoding="utf-8")


def test_a_known_class_that_vanished_is_an_error_unless_it_is_allowed(tmp_path):
    data = make_dataset(tmp_path / "data", train=1, val=1)
    before = (data / "train.txt").read_bytes()
    for side in ("train", "val"):
        shutil.rmtree(data / side / "green")
    with pytest.raises(InputError, match=r"class 'green' has no folder in .* \(classes without a folder: 1\)"):
        annotate(data, None, allow_missing=False)
    assert (data / "train.txt").read_bytes() == before
    _, counts, _ = annotate(data, None, allow_missing=True)
    assert counts["green"] == {"train": 0, "val": 0}
    assert read_class_names(data / "annotations.txt") == tuple(sorted(CLASSES))


def test_hidden_files_and_other_files_are_not_images(tmp_path):
    data = make_dataset(tmp_path / "data", train=1, val=1)
    for name in (".hidden.jpg", "notes.txt", "Thumbs.db"):
        (data / "train" / "green" / name).write_bytes(b"x")
    _, counts, _ = annotate(data, None, allow_missing=False)
    assert counts["green"]["train"] == 1


def test_folds_become_data_sets_that_validate_on_themselves(tmp_path):
    for fold in ("fold1", "fold2", "fold3"):
        make_class_folders(tmp_path / fold, 2)
    _, counts, written = annotate(tmp_path, None, allow_missing=False)
    assert counts["green"] == {"fold1": 2, "fold2": 2, "fold3": 2}
    assert len(written) == 6
    for fold in ("fold1", "fold2", "fold3"):
        data = read_dataset(tmp_path / "lists" / fold)
        assert {path.split("/../../")[1].split("/")[0] for path in data.val.paths} == {fold}
        assert len(data.train) == 12
        assert {path.split("/../../")[1].split("/")[0] for path in data.train.paths} == {"fold1", "fold2", "fold3"} - {
            fold
        }


def test_a_test_side_gets_its_list(tmp_path):
    data = make_dataset(tmp_path / "data", train=1, val=1)
    make_class_folders(data / "test", 2)
    _, counts, written = annotate(data, None, allow_missing=False)
    assert [path.name for path in written] == ["train.txt", "val.txt", "test.txt"]
    assert counts["green"]["test"] == 2
    assert len((data / "test.txt").read_text(encoding="utf-8").splitlines()) == 6


def test_a_list_made_for_another_class_order_is_refused(tmp_path, trained):
    frames = read_file_list(trained.dataset / "val.txt", 3)
    names = tuple(sorted(CLASSES))
    require_same_classes(frames, names, tmp_path / "model.pt")
    require_same_classes(frames, (*names, "appended later"), tmp_path / "model.pt")
    with pytest.raises(InputError, match=r"val.txt: made for another class list than .*class 0 is 'green' .* '蓝色'"):
        require_same_classes(frames, names[::-1], tmp_path / "model.pt")
    with pytest.raises(InputError, match=r"class 2 is '蓝色' in the list and 'none' there"):
        require_same_classes(frames, names[:2], tmp_path / "model.pt")
    data = make_dataset(tmp_path / "data", train=1, val=1)
    (data / "annotations.txt").write_text("red stripes 0\ngreen 1\n蓝色 2\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"train.txt: made for another class list than .*annotations.txt"):
        read_dataset(data)


def test_the_demos_class_file_is_the_list_of_its_games():
    assert list(read_class_names(ROOT / "datas" / "annotations.txt")) == game_names()
    assert len(game_names()) == 104

"""Data and networks as users bring them: each ends with what they want, or with one line that says what to do."""

import gzip
import shutil

import pytest
import timm
from conftest import draw_frame, make_class_folders, make_dataset, tiny_config
from safetensors.torch import save_file

from game_classifier.errors import InputError
from game_classifier.lists.dataset import read_dataset
from game_classifier.lists.filelist import read_file_list
from game_classifier.lists.folders import list_images
from game_classifier.predict.open_lists import find_lists
from game_classifier.training.fit import fit


@pytest.mark.parametrize(("size", "sizes", "refused"), [(64, [1.0], "64x64"), (224, [0.5, 1.0], "112x112")])
def test_a_network_of_one_size_names_it(tmp_path, size, sizes, refused):
    data = read_dataset(make_dataset(tmp_path / "data"))
    config = tiny_config(network="vit_tiny_patch16_224", image_size=size, train_sizes=sizes)
    with pytest.raises(InputError, match=rf"vit_tiny_patch16_224 takes no frames of {refused} .*image_size=224"):
        fit(config, data, tmp_path / "out", resume=False)


def test_weights_of_a_network_of_one_size_are_not_converted_for_another(tmp_path, run):
    data = make_dataset(tmp_path / "data")
    network = timm.create_model("vit_tiny_patch16_224", num_classes=3)
    save_file(network.state_dict(), tmp_path / "vit.safetensors")
    options = ("-c", data / "annotations.txt", "-i", data / "val.txt", "-o", tmp_path / "out")
    weights = ("-w", tmp_path / "vit.safetensors", "--network", "vit_tiny_patch16_224")
    done = run("src/main_convert.py", *weights, *options, "--set", "image_size=128")
    assert done.status == 2
    assert "vit_tiny_patch16_224 takes no frames of 128x128" in done.error


def test_a_broken_link_among_the_images_is_named(tmp_path, run):
    """Lists that named it would be refused, with the advice to make them again."""
    data, games = make_dataset(tmp_path / "data"), make_class_folders(tmp_path / "games")
    lists = {path: path.read_bytes() for path in data.glob("*.txt")}

    def fail(link, *arguments):
        link.symlink_to("nowhere.jpg")
        done = run(*arguments)
        assert done.status == 2
        assert f"{link}: a link to a file that is gone; restore that file, or remove the link" in done.error
        link.unlink()

    class_folder = next(games.iterdir())
    fail(class_folder / "gone.jpg", "tool/split_data.py", "--source", games, "--out", tmp_path / "out")
    fail(class_folder / "gone.jpg", "tool/get_annotation.py", "--dataset", data, "--background", games)
    fail(next((data / "train").iterdir()) / "gone.jpg", "tool/get_annotation.py", "--dataset", data)
    assert not (tmp_path / "out").exists()
    assert lists == {path: path.read_bytes() for path in data.glob("*.txt")}


def test_a_link_to_a_folder_above_it_does_not_repeat_images(tmp_path):
    games = make_class_folders(tmp_path / "games", frames=2, names=("pong",))
    (tmp_path / "more").mkdir()
    draw_frame(0, 9).save(tmp_path / "more" / "9.jpg")
    (games / "pong" / "more").symlink_to(tmp_path / "more")
    assert len(list_images(games)) == 3
    (games / "pong" / "loop").symlink_to("../../games")
    with pytest.raises(InputError, match=r"pong/loop: a link to a folder that holds this link; remove it"):
        list_images(games)


@pytest.mark.parametrize("second", ["val", "validation"])
def test_a_data_set_that_is_split_already_is_not_split_into_train_and_val(tmp_path, run, second):
    for side in ("train", second):
        make_class_folders(tmp_path / "games" / side)
    done = run("tool/split_data.py", "--source", tmp_path / "games", "--out", tmp_path / "out")
    assert done.status == 2
    assert f"games: holds train and {second}, so it is split already" in done.error
    assert not (tmp_path / "out").exists()


def test_lists_of_class_folders_that_are_not_split_are_told_about_it(tmp_path, run):
    done = run("tool/get_annotation.py", "--dataset", make_class_folders(tmp_path / "games"))
    assert done.status == 2
    assert "games/train: no such folder; a data set holds train and val" in done.error


def test_images_are_not_passed_over_for_a_text_file_beside_them(tmp_path):
    for name in ("a.jpg", "b.jpg"):
        draw_frame(0, 0).save(tmp_path / name)
    assert find_lists(tmp_path) == [tmp_path]
    (tmp_path / "notes.txt").write_text("from Tuesday\n")
    with pytest.raises(InputError, match=r"holds images and also notes.txt, which would be read as a list"):
        find_lists(tmp_path)
    assert find_lists(tmp_path / "notes.txt") == [tmp_path / "notes.txt"]


@pytest.mark.parametrize(
    "data", [gzip.compress(b"a tar"), "a.jpg 0\n".encode("utf-16"), b"\xff\xd8\xff\xe0\0\x10JFIF\0"]
)
def test_a_file_that_is_no_list_is_not_read_as_one(tmp_path, data):
    (tmp_path / "frames.tar.gz").write_bytes(data)
    with pytest.raises(InputError, match=r"frames.tar.gz: not a text file in UTF-8; give a list, or save it in UTF-8"):
        read_file_list(tmp_path / "frames.tar.gz", 2)


def test_a_csv_without_a_header_is_told_about_it(tmp_path, run):
    (tmp_path / "plain.csv").write_text("a.jpg,pong\n")
    done = run("tool/import_list.py", tmp_path / "plain.csv", "--out", tmp_path / "new" / "train.txt")
    assert "plain.csv:1: no column 'path' among ['a.jpg', 'pong']; the first line must name the columns" in done.error


def test_folds_without_the_option_are_told_about_it(tmp_path, run):
    data = make_dataset(tmp_path / "data")
    shutil.copytree(data, tmp_path / "folds" / "lists" / "fold1")
    done = run("src/main_train.py", "-n", "repvgg_tiny", "-i", tmp_path / "folds", "-o", tmp_path / "out")
    assert done.status == 2
    assert f"{tmp_path / 'folds'}: holds folds and no train.txt; give --fold all" in done.error
    assert not (tmp_path / "out").exists()


def test_a_folder_given_where_images_are_expected_is_told_about_it(tmp_path, trained, run):
    done = run("src/main_predict.py", "-w", trained.best, "-i", tmp_path)
    assert done.status == 2
    assert "src/predict_repvgg.py takes folders, too" in done.error

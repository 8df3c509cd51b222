import os

import numpy as np
import pytest

from game_classifier.errors import InputError
from game_classifier.lists.filelist import read_file_list, require_complete, write_file_list


def write(path, text):
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_row_i_is_line_i_and_paths_stand_against_the_lists_folder(tmp_path):
    path = write(tmp_path / "list.txt", "a b/one frame.jpg 2\n/abs/x.png 0\nno label.jpg\n")
    frames = read_file_list(path, 3)
    assert frames.paths == [str(tmp_path / "a b/one frame.jpg"), "/abs/x.png", str(tmp_path / "no label.jpg")]
    np.testing.assert_array_equal(frames.labels, [2, 0, -1])
    assert read_file_list(path, 3, root=tmp_path / "root").paths[0] == str(tmp_path / "root/a b/one frame.jpg")


@pytest.mark.parametrize(
    ("text", "line", "reason"),
    [
        ("a.jpg 0\n\nb.jpg 0\n", ":2", "blank line"),
        ("a.jpg 0\n 1\n", ":2", "without a path"),
        ("a.jpg 0\nb.jpg 2\n", ":2", "class 2 is out of range, the 2 classes are 0 to 1"),
        ("a.jpg 0\nb.jpg -1\n", ":2", "class -1 is out of range"),
        ("", "", "empty"),
    ],
)
def test_a_wrong_line_is_an_error_with_file_line_and_reason(tmp_path, text, line, reason):
    path = write(tmp_path / "list.txt", text)
    with pytest.raises(InputError) as error:
        read_file_list(path, 2)
    assert str(error.value).startswith(f"{path}{line}:")
    assert reason in str(error.value)


def test_training_lists_must_be_labelled_and_their_files_there(tmp_path):
    write(tmp_path / "there.jpg", "x")
    with pytest.raises(InputError, match=r"list.txt:2: no class index after the path"):
        require_complete(read_file_list(write(tmp_path / "list.txt", "there.jpg 0\nthere.jpg\n"), 1))
    with pytest.raises(InputError, match=r"list.txt:2: no such file: .*gone.jpg"):
        require_complete(read_file_list(write(tmp_path / "list.txt", "there.jpg 0\ngone.jpg 0\n"), 1))


def test_a_folder_or_a_missing_file_is_no_list(tmp_path):
    with pytest.raises(InputError, match="is a folder"):
        read_file_list(tmp_path, 1)
    with pytest.raises(InputError, match="no such file"):
        read_file_list(tmp_path / "list.txt", 1)


def test_file_names_of_any_bytes_go_through_a_list(tmp_path):
    name = os.fsdecode(b"caf\xe9 \xff.jpg")
    (tmp_path / name).write_bytes(b"x")
    write_file_list(tmp_path / "list.txt", [name], [0])
    require_complete(read_file_list(tmp_path / "list.txt", 1))


def test_a_name_with_a_line_break_is_refused(tmp_path):
    with pytest.raises(InputError, match="line break"):
        write_file_list(tmp_path / "list.txt", ["a\nb.jpg"], [0])


def test_the_hash_follows_the_lines(tmp_path):
    one = read_file_list(write(tmp_path / "a.txt", "a.jpg 0\n"), 2).sha256
    assert one == read_file_list(write(tmp_path / "b.txt", "a.jpg 0"), 2).sha256
    assert one != read_file_list(write(tmp_path / "c.txt", "a.jpg 1\n"), 2).sha256
    assert one != read_file_list(tmp_path / "a.txt", 2, root=tmp_path / "other").sha256

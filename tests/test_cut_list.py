import os
from pathlib import Path

import numpy as np
import pytest
from conftest import make_class_folders

from game_classifier.datasets.cut_list import lines_of_folder, lines_of_list, write_shards
from game_classifier.errors import InputError
from game_classifier.lists.filelist import read_file_list


@pytest.mark.parametrize(("lines", "parts"), [(10, 3), (10, 10), (7, 1), (1001, 7)])
def test_shards_are_the_list_in_parts_of_equal_length(tmp_path, lines, parts):
    text = [f"a/{number}.jpg {number % 3}" for number in range(lines)]
    lengths = write_shards(text, parts, tmp_path, "all")
    assert sum(lengths) == lines
    assert max(lengths) - min(lengths) <= 1
    files = sorted(tmp_path.iterdir())
    assert len(files) == parts
    assert [line for path in files for line in path.read_text().splitlines()] == text


def test_the_paths_of_a_list_still_stand(tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "list.txt").write_text("a b/x.jpg 1\ny.jpg\n/abs/z.jpg 0\n")
    frames = read_file_list(tmp_path / "data" / "list.txt", 2)
    write_shards(lines_of_list(frames, tmp_path / "lists"), 2, tmp_path / "lists", "list")
    parts = [read_file_list(path, 2) for path in sorted((tmp_path / "lists").iterdir())]
    paths = [os.path.normpath(path) for part in parts for path in part.paths]
    assert paths == [os.path.normpath(path) for path in frames.paths]
    np.testing.assert_array_equal(np.concatenate([part.labels for part in parts]), frames.labels)


def test_a_folder_tree_is_taken_directly(tmp_path, run):
    make_class_folders(tmp_path / "new frames", 2)
    done = run("tool/shard_list.py", tmp_path / "new frames", "--parts", 4, "--out", tmp_path / "lists")
    assert "6 lines in 4 lists of 1 to 2 lines" in done.out
    frames = [read_file_list(path, 1) for path in sorted((tmp_path / "lists").iterdir())]
    assert all(Path(path).is_file() for part in frames for path in part.paths)
    assert (np.concatenate([part.labels for part in frames]) == -1).all()


def test_errors(tmp_path, run):
    with pytest.raises(InputError, match="--parts 3: there are only 2 lines"):
        write_shards(["a", "b"], 3, tmp_path / "lists", "x")
    (tmp_path / "bare").mkdir()
    with pytest.raises(InputError, match="holds no images"):
        lines_of_folder(tmp_path / "bare", tmp_path)
    write_shards(["a", "b", "c"], 3, tmp_path / "lists", "x")
    with pytest.raises(InputError, match=r"x_002.txt: left from an earlier cut"):
        write_shards(["a", "b", "c"], 2, tmp_path / "lists", "x")
    assert (
        "no such file" in run("tool/shard_list.py", tmp_path / "none.txt", "--parts", 2, "--out", tmp_path / "o").error
    )

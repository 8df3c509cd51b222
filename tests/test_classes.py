import pytest

from game_classifier.errors import InputError
from game_classifier.lists.classes import class_hash, read_class_names, write_class_names


def test_names_with_spaces_and_any_script_come_back_in_index_order(tmp_path):
    path = tmp_path / "annotations.txt"
    names = ("space invaders", "乒乓", "Ms. Pac-Man 2", "7")
    write_class_names(path, names)
    assert path.read_text(encoding="utf-8") == "space invaders 0\n乒乓 1\nMs. Pac-Man 2 2\n7 3\n"
    assert read_class_names(path) == names


def test_order_of_lines_does_not_matter_and_windows_line_ends_and_bom_are_read(tmp_path):
    path = tmp_path / "annotations.txt"
    path.write_bytes(b"\xef\xbb\xbfpong 1\r\nqbert\t0\r\n")
    assert read_class_names(path) == ("qbert", "pong")


@pytest.mark.parametrize(
    ("text", "line", "reason"),
    [
        ("pong 0\n\nqbert 1\n", ":2", "blank line"),
        ("pong 0\n \n", ":2", "blank line"),
        ("pong 0\nqbert\n", ":2", "not `name index`"),
        ("pong 0\n1\n", ":2", "not `name index`"),
        ("pong 0\nqbert -1\n", ":2", "not `name index`"),
        ("pong 0\nqbert 0\n", ":2", "index 0 already belongs to 'pong'"),
        ("pong 0\npong 1\n", ":2", "is already on line 1"),
        ("pong 0\nqbert 2\n", "", "no class has index 1"),
        ("pong 0\ncaf\udce9 1\n", ":2", "not UTF-8"),
        ("", "", "no classes"),
    ],
)
def test_a_wrong_file_is_an_error_with_file_line_and_reason(tmp_path, text, line, reason):
    path = tmp_path / "annotations.txt"
    path.write_text(text, encoding="utf-8", errors="surrogateescape")
    with pytest.raises(InputError) as error:
        read_class_names(path)
    assert str(error.value).startswith(f"{path}{line}:")
    assert reason in str(error.value)


def test_a_missing_file_is_an_error(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        read_class_names(tmp_path / "annotations.txt")


@pytest.mark.parametrize("name", [" pong", "pong ", "po\nng", "", "caf\udce9"])
def test_a_name_that_could_not_be_read_back_is_refused(tmp_path, name):
    with pytest.raises(InputError, match="rename the folder"):
        write_class_names(tmp_path / "annotations.txt", [name])
    assert list(tmp_path.iterdir()) == []


def test_the_hash_tells_orders_apart():
    assert class_hash(["a", "b"]) == class_hash(("a", "b"))
    assert class_hash(["a", "b"]) != class_hash(["b", "a"])

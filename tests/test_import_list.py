import pytest
from conftest import make_class_folders

from game_classifier.datasets.import_list import Entry, label_entries
from game_classifier.errors import InputError
from game_classifier.lists.dataset import read_dataset

NAMES = ("红色 条纹", "green")


@pytest.fixture
def project(tmp_path, monkeypatch):
    """An Awesome-Backbones project as a Windows machine leaves it: backslashes, GBK, paths from the root."""
    make_class_folders(tmp_path / "datasets" / "train", 2, NAMES)
    make_class_folders(tmp_path / "datasets" / "test", 1, NAMES)
    (tmp_path / "datas").mkdir()
    (tmp_path / "datas" / "annotations.txt").write_text("红色 条纹 0\ngreen 1\n", encoding="utf-8")
    for side, frames in (("train", 2), ("test", 1)):
        lines = [f"datasets\\{side}\\{name}\\0_{n}.jpg {i}\r\n" for i, name in enumerate(NAMES) for n in range(frames)]
        (tmp_path / "datas" / f"{side}.txt").write_bytes("".join(lines).encode("gbk"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_awesome_backbones_lists_become_a_data_set(project, run):
    for source, target in (("train", "train"), ("test", "val")):
        arguments = ("--classes", "datas/annotations.txt", "--encoding", "gbk", "--out", f"data set/{target}.txt")
        assert run("tool/import_list.py", f"datas/{source}.txt", *arguments).status == 0
    data = read_dataset(project / "data set")
    assert data.class_names == NAMES
    assert list(data.train.labels) == [0, 0, 1, 1]
    assert list(data.val.labels) == [0, 1]
    text = (project / "data set" / "train.txt").read_text(encoding="utf-8")
    assert text.splitlines()[0] == "../datasets/train/红色 条纹/0_0.jpg 0"


def test_a_csv_with_names_or_indices_becomes_a_list(project, run):
    (project / "names.csv").write_text(
        'label,path,note\ngreen,green/0_0.jpg,"a, b"\n红色 条纹,红色 条纹/0_1.jpg,\n', encoding="utf-8-sig"
    )
    done = run("tool/import_list.py", "names.csv", "--root", "datasets/train", "--out", "one/train.txt")
    assert "new classes, appended to one/annotations.txt: green, 红色 条纹" in done.out
    assert (project / "one" / "train.txt").read_text(encoding="utf-8").splitlines() == [
        "../datasets/train/green/0_0.jpg 0",
        "../datasets/train/红色 条纹/0_1.jpg 1",
    ]
    (project / "indices.csv").write_text("file,y\ngreen/0_0.jpg,1\n", encoding="utf-8")
    columns = ("--path-column", "file", "--label-column", "y", "--classes", "datas/annotations.txt")
    done = run("tool/import_list.py", "indices.csv", "--root", "datasets/test", *columns, "--out", "two/val.txt")
    assert done.status == 0
    assert (project / "two" / "val.txt").read_text(encoding="utf-8") == "../datasets/test/green/0_0.jpg 1\n"


def test_a_class_whose_name_is_a_number_is_a_name_first():
    entries = [Entry("x:1", None, "2048"), Entry("x:2", None, "0")]
    assert label_entries(entries, ("pong", "2048")) == ([1, 0], ["pong", "2048"])
    with pytest.raises(InputError, match=r"x:1: class 2048, but 1 classes are known"):
        label_entries(entries, ("pong",))


def test_errors(project, run):
    def fail(*arguments):
        return run("tool/import_list.py", *arguments, "--out", "new/train.txt").error

    assert "datas/train.txt:1: not utf-8; give the encoding with --encoding" in fail("datas/train.txt")
    assert "no such encoding" in fail("datas/train.txt", "--encoding", "klingon")
    assert "none.txt: no such file" in fail("none.txt")
    gbk = ("--encoding", "gbk", "--classes", "datas/annotations.txt")
    assert "datas/train.txt:1: no such file: elsewhere/" in fail("datas/train.txt", *gbk, "--root", "elsewhere")
    assert "datas/train.txt:1: class 0, but 0 classes are known" in fail("datas/train.txt", "--encoding", "gbk")
    (project / "bad.txt").write_text("datasets/train/green/0_0.jpg\n")
    assert "bad.txt:1: 'datasets/train/green/0_0.jpg' is not `path index`" in fail("bad.txt")
    (project / "bad.csv").write_text("file,label\nx,1\n")
    assert "bad.csv:1: no column 'path' among ['file', 'label']; the first line must name" in fail("bad.csv")
    (project / "empty.csv").write_text("path,label\n")
    assert "empty.csv: holds no frames" in fail("empty.csv")
    (project / "gap.csv").write_text("path,label\ndatasets/train/green/0_0.jpg,\n")
    assert "gap.csv:2: no path or no label" in fail("gap.csv")
    assert not (project / "new").exists()

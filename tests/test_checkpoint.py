import pickle
import resource
from dataclasses import replace

import pytest
import torch

from game_classifier.errors import InputError
from game_classifier.frames.decode import Preprocessing
from game_classifier.models.checkpoint import FORMAT, Checkpoint, load_checkpoint, save_checkpoint
from game_classifier.models.zoo import build_model
from game_classifier.storage import write_text


def checkpoint() -> Checkpoint:
    torch.manual_seed(0)
    return Checkpoint(
        network="squeezenet1_1",
        class_names=("space invaders", "乒乓"),
        preprocessing=Preprocessing(64, 96, "letterbox"),
        state_dict=build_model("squeezenet1_1", 2).state_dict(),
        epoch=3,
        metrics={"top1": 0.5},
        config={"lr": 0.1},
    )


def test_a_checkpoint_rebuilds_its_network_by_itself(tmp_path):
    saved = checkpoint()
    save_checkpoint(tmp_path / "a.pth", saved)
    loaded = load_checkpoint(tmp_path / "a.pth")
    assert [path.name for path in tmp_path.iterdir()] == ["a.pth"]
    for name in ("network", "class_names", "preprocessing", "epoch", "metrics", "config", "training"):
        assert getattr(loaded, name) == getattr(saved, name), name
    network = loaded.build()
    assert not network.training
    assert all(torch.equal(value, saved.state_dict[key]) for key, value in network.state_dict().items())


def test_equal_checkpoints_are_equal_files_whatever_their_names(tmp_path):
    save_checkpoint(tmp_path / "a.pth", checkpoint())
    save_checkpoint(tmp_path / "b.pth", checkpoint())
    assert (tmp_path / "a.pth").read_bytes() == (tmp_path / "b.pth").read_bytes()


def test_a_full_disk_is_one_line_and_loses_nothing(tmp_path):
    path = tmp_path / "a.pth"
    save_checkpoint(path, checkpoint())
    before = path.read_bytes()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limits[1]))  # stands for a disk that is full
    try:
        said = r"a.pth: cannot be written \(File too large\); the earlier file is unchanged"
        with pytest.raises(InputError, match=said):
            save_checkpoint(path, checkpoint())
        with pytest.raises(OSError, match="File too large") as error:
            write_text(tmp_path / "b.txt", "x" * 200_000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert error.value.filename == str(tmp_path / "b.txt")
    assert path.read_bytes() == before
    assert [each.name for each in tmp_path.iterdir()] == ["a.pth"]


@pytest.mark.parametrize("share", [0, 0.1, 0.2, 0.5, 0.99])
def test_a_cut_checkpoint_is_named(tmp_path, trained, share):
    data = trained.best.read_bytes()
    (tmp_path / "cut.pth").write_bytes(data[: int(share * len(data))])
    with pytest.raises(InputError, match=r"cut.pth: not a checkpoint that can be read safely"):
        load_checkpoint(tmp_path / "cut.pth")


class Malicious:
    def __init__(self, target):
        self.target = target

    def __reduce__(self):
        return open, (self.target, "w")


def test_nothing_in_a_file_is_executed(tmp_path):
    torch.save({"format": Malicious(str(tmp_path / "ran"))}, tmp_path / "evil.pth")
    (tmp_path / "old.pth").write_bytes(pickle.dumps(Malicious(str(tmp_path / "ran"))))
    for name in ("evil.pth", "old.pth"):
        with pytest.raises(InputError, match="not a checkpoint that can be read safely"):
            load_checkpoint(tmp_path / name)
    assert not (tmp_path / "ran").exists()


def test_what_is_no_checkpoint_says_so(tmp_path):
    with pytest.raises(InputError, match="no such checkpoint"):
        load_checkpoint(tmp_path / "none.pth")
    (tmp_path / "text.pth").write_text("hello")
    with pytest.raises(InputError, match=r"text.pth: not a checkpoint"):
        load_checkpoint(tmp_path / "text.pth")
    (tmp_path / "empty.pth").write_bytes(b"")
    with pytest.raises(InputError, match=r"empty.pth: not a checkpoint"):
        load_checkpoint(tmp_path / "empty.pth")
    torch.save({"meta": 1, "state_dict": {}}, tmp_path / "foreign.pth")
    with pytest.raises(InputError, match=r"not a checkpoint of this tool \(it holds meta, state_dict\)"):
        load_checkpoint(tmp_path / "foreign.pth")
    torch.save(torch.zeros(3), tmp_path / "tensor.pth")
    with pytest.raises(InputError, match="it holds Tensor"):
        load_checkpoint(tmp_path / "tensor.pth")
    torch.save({"format": FORMAT, "format_version": 1, "network": "repvgg_a0"}, tmp_path / "part.pth")
    with pytest.raises(InputError, match=r"part.pth: not a complete checkpoint, it lacks class_names, "):
        load_checkpoint(tmp_path / "part.pth")
    save_checkpoint(tmp_path / "whole.pth", checkpoint())
    (tmp_path / "half.pth").write_bytes((tmp_path / "whole.pth").read_bytes()[:100_000])
    with pytest.raises(InputError, match=r"half.pth: not a checkpoint"):
        load_checkpoint(tmp_path / "half.pth")


def test_another_format_version_and_unfitting_weights_are_refused(tmp_path):
    save_checkpoint(tmp_path / "a.pth", checkpoint())
    values = torch.load(tmp_path / "a.pth", weights_only=True)
    torch.save(values | {"format_version": 99}, tmp_path / "new.pth")
    with pytest.raises(InputError, match="checkpoint format 99, this version reads 1"):
        load_checkpoint(tmp_path / "new.pth")
    torch.save(values | {"class_names": ["a", "b", "c"]}, tmp_path / "wrong.pth")
    said = r"wrong.pth: its weights do not fit squeezenet1_1 with 3 classes \(.*\); train it again with this version"
    with pytest.raises(InputError, match=said):
        load_checkpoint(tmp_path / "wrong.pth").build()
    with pytest.raises(InputError, match=r"^the checkpoint: its weights do not fit"):
        replace(checkpoint(), class_names=("a", "b", "c")).build()  # not read from a file


def test_a_checkpoint_does_not_hold_the_path_it_was_read_from(tmp_path):
    save_checkpoint(tmp_path / "a.pth", checkpoint())
    loaded = load_checkpoint(tmp_path / "a.pth")
    assert loaded.path == tmp_path / "a.pth"
    save_checkpoint(tmp_path / "b.pth", loaded)
    assert (tmp_path / "a.pth").read_bytes() == (tmp_path / "b.pth").read_bytes()

import copy
import json

import numpy as np
import pytest
import torch
from conftest import draw_frame
from test_models import randomise_batch_norms

from game_classifier.data.frames import Preprocessing
from game_classifier.deploy import export
from game_classifier.deploy.artifact import Metadata, load_artifact, save_artifact
from game_classifier.deploy.export import convert
from game_classifier.deploy.runtime import load_classifier
from game_classifier.errors import InputError
from game_classifier.models.checkpoint import Checkpoint, load_checkpoint
from game_classifier.models.zoo import build_model


def checkpoint(name: str = "repvgg_a0", **preprocessing) -> Checkpoint:
    torch.manual_seed(0)
    network = randomise_batch_norms(build_model(name, 3))
    if name.startswith("repvgg"):  # random layers multiply up to logits whose softmax hides every difference
        with torch.inference_mode():
            network.head.fc.weight /= network(torch.randn(2, 3, 64, 64)).std()
    names = ("space invaders", "乒乓", "Ms. Pac-Man")
    return Checkpoint(name, names, Preprocessing(64, 64, **preprocessing), network.state_dict(), 5, {"top1": 0.75})


@pytest.mark.parametrize("resize", ["squash", "letterbox", "center_crop"])
def test_the_deploy_file_answers_as_the_checkpoint_does_on_frames_of_any_size(tmp_path, resize):
    report = convert(checkpoint(resize=resize), tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["repvgg_a0_cpp_deploy.pt"]
    assert report.parameters_deployed < report.parameters_trained
    assert 0 < report.fold_difference_float64 < 1e-12
    module = torch.jit.load(str(report.path))  # as a C++ service does: no code of ours
    trained = checkpoint(resize=resize).build().double()
    for size in ((720, 1280), (90, 160), (64, 64), (200, 100)):
        frames = torch.from_numpy(np.stack([np.asarray(draw_frame(i, 0, size[::-1])) for i in range(3)]))
        with torch.inference_mode():
            probabilities = module(frames)
            pixels = export._pixels_of(frames, checkpoint(resize=resize))
            expected = trained(pixels.double()).softmax(1)
        assert probabilities.dtype == torch.float32
        torch.testing.assert_close(probabilities.double(), expected, atol=1e-5, rtol=0)


def test_the_metadata_is_inside(tmp_path):
    path = convert(checkpoint(resize="letterbox"), tmp_path).path
    extra = {"meta.json": ""}
    torch.jit.load(str(path), _extra_files=extra)
    values = json.loads(extra["meta.json"])
    assert values["class_names"] == ["space invaders", "乒乓", "Ms. Pac-Man"]
    assert values["preprocessing"]["resize"] == "letterbox"
    assert (values["network"], values["epoch"], values["metrics"]) == ("repvgg_a0", 5, {"top1": 0.75})
    assert (values["format"], values["format_version"]) == ("game_classifier.deploy", 1)
    _, metadata = load_artifact(path, torch.device("cpu"))
    assert metadata == Metadata.of_checkpoint(checkpoint(resize="letterbox"))


def test_squeezenet_converts_too(tmp_path):
    report = convert(checkpoint("squeezenet1_1"), tmp_path)
    assert report.parameters_deployed == report.parameters_trained
    assert load_classifier(report.path).class_names[1] == "乒乓"


def test_a_wrong_fold_is_refused_and_leaves_no_file(tmp_path, monkeypatch):
    def lose_a_branch(network):
        network = copy.deepcopy(network)
        torch.nn.init.zeros_(network.stages[2][3].conv_1x1.conv.weight)
        return export_fold(network)

    export_fold = export.fold_float64
    monkeypatch.setattr(export, "fold_float64", lose_a_branch)
    with pytest.raises(InputError, match=r"folded network's logits .* differ .* nothing was written"):
        convert(checkpoint(), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_answers_differently_is_refused_and_keeps_the_old_one(tmp_path, monkeypatch):
    before = convert(checkpoint(), tmp_path).path.read_bytes()

    def save_another(path, network, metadata):
        network = copy.deepcopy(network)
        network.head.fc.bias.data += torch.tensor([1.0, 0.0, 0.0])
        save_artifact(path, network, metadata)

    monkeypatch.setattr(export, "save_artifact", save_another)
    with pytest.raises(InputError, match="deploy file's probabilities differ"):
        convert(checkpoint(), tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["repvgg_a0_cpp_deploy.pt"]
    assert (tmp_path / "repvgg_a0_cpp_deploy.pt").read_bytes() == before


def test_weights_that_are_not_finite_are_refused(tmp_path):
    spoilt = checkpoint()
    spoilt.state_dict["head.fc.bias"][0] = float("nan")
    with pytest.raises(InputError, match="nothing was written"):
        convert(spoilt, tmp_path)


def test_a_checkpoint_and_its_deploy_file_are_the_same_classifier(tmp_path, trained):
    path = convert(load_checkpoint(trained.best), tmp_path).path
    frames = np.stack([np.asarray(draw_frame(i, 200 + i, (32, 32))) for i in range(3)])
    ours, deployed = load_classifier(trained.best), load_classifier(path)
    assert ours.class_names == deployed.class_names
    assert ours.preprocessing == deployed.preprocessing
    np.testing.assert_allclose(ours(frames), deployed(frames), atol=1e-6)


def test_other_files_are_refused(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        load_classifier(tmp_path / "none.pt")
    (tmp_path / "text.pt").write_text("hello")
    with pytest.raises(InputError, match=r"text.pt: not a TorchScript file"):
        load_classifier(tmp_path / "text.pt")
    torch.jit.save(torch.jit.script(torch.nn.Linear(2, 2)), str(tmp_path / "plain.pt"))
    with pytest.raises(InputError, match="without our metadata"):
        load_classifier(tmp_path / "plain.pt")
    torch.jit.save(
        torch.jit.script(torch.nn.Linear(2, 2)),
        str(tmp_path / "new.pt"),
        _extra_files={"meta.json": '{"format": "game_classifier.deploy", "format_version": 9}'},
    )
    with pytest.raises(InputError, match=r"deploy format game_classifier\.deploy 9"):
        load_classifier(tmp_path / "new.pt")
    with pytest.raises(InputError, match=r"give a deploy file \(.pt\) or a checkpoint"):
        load_classifier(tmp_path / "model.onnx")
    whole = convert(checkpoint(), tmp_path / "out").path.read_bytes()
    (tmp_path / "half.pt").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match=r"half.pt: not a TorchScript file"):
        load_classifier(tmp_path / "half.pt")

"""The `known` score: what it is computed of, what it is fitted to, and that every deployed form gives it."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from conftest import NETWORK, draw_frame
from scipy.spatial.distance import mahalanobis

from game_classifier.config import GateConfig
from game_classifier.deploy.export import convert
from game_classifier.deploy.forms import installed_formats
from game_classifier.deploy.frame_sets import calibration_frames, gate_frames
from game_classifier.errors import InputError
from game_classifier.frames.decode import Preprocessing
from game_classifier.frames.outliers import KINDS, make_outliers
from game_classifier.lists.dataset import read_dataset
from game_classifier.models.checkpoint import load_checkpoint, save_checkpoint
from game_classifier.models.fold import InBFloat16, fold
from game_classifier.models.frame_network import FrameNetwork
from game_classifier.models.known import KnownHead, add_known, gives_known, relative_distance
from game_classifier.models.refusals import Refusals, fit_refusals, frames_needed
from game_classifier.models.zoo import build_model
from game_classifier.runtime.runner import load_runner
from game_classifier.tasks.choose import task_of
from game_classifier.tasks.classification.comparison import ProbabilityComparison
from game_classifier.tasks.classification.known import discriminants, fit_known
from game_classifier.tasks.classification.known_frames import Evidence, last_features

CLASSES, WIDTH = 4, 12


def clusters(count: int, seed: int, centers_of: int = 7) -> tuple[np.ndarray, np.ndarray]:
    """Features float32 [count, WIDTH] of CLASSES classes around fixed centres, and their classes."""
    centers = np.random.default_rng(centers_of).normal(0, 3, (CLASSES, WIDTH))
    random = np.random.default_rng(seed)
    labels = random.integers(0, CLASSES, count)
    shape = np.linspace(0.3, 1.5, WIDTH)  # another scatter in each direction
    return (centers[labels] + shape * random.normal(size=(count, WIDTH))).astype(np.float32), labels


def evidence(validation: int = 300) -> Evidence:
    """Known frames of some clusters, outliers of others."""
    features, labels = clusters(800, 1)
    outliers = [clusters(count, count, centers_of=8)[0] for count in (600, 200)]
    return Evidence(features, labels, outliers[0], clusters(validation, 2)[0], outliers[1])


@pytest.fixture(scope="module")
def fitted():
    return fit_known(evidence(), refuse=0.02, seed=0).known


def head_of(features: int, classes: int = 3) -> dict[str, torch.Tensor]:
    """The state of a head for random features, whose layers are random too."""
    random = np.random.default_rng(0)
    labels = np.arange(20 * classes) % classes
    found = discriminants(random.normal(size=(len(labels), features)) + labels[:, None], labels)
    torch.manual_seed(0)
    layers = {"hidden": torch.nn.Linear(features, 8), "output": torch.nn.Linear(8, 1)}
    return {
        "center": found.center,
        "projection": found.projection[:, : classes - 1],
        "means": found.means,
        "precisions": found.precisions,
        "relative": torch.rand(8) / 100,
        **{f"{name}.{key}": value for name, each in layers.items() for key, value in each.state_dict().items()},
    }


# -- what it is computed of


def test_the_distance_is_the_relative_mahalanobis_distance():
    """Ren et al. 2021, section 3: the distance to the nearest class, less the distance to all frames."""
    features, labels = clusters(20_000, 3)
    found = discriminants(features, labels)
    asked = clusters(50, 4)[0]
    places = (torch.from_numpy(asked) - found.center) @ found.projection[:, : CLASSES - 1]
    ours = relative_distance(places, found.means, found.precisions)[:, 0].numpy()
    means = [features[labels == label].mean(axis=0) for label in range(CLASSES)]
    inside = np.linalg.inv(np.cov((features - np.stack(means)[labels]).T))
    overall = np.linalg.inv(np.cov(features.T))
    expected = [
        min(mahalanobis(each, mean, inside) ** 2 for mean in means)
        - mahalanobis(each, features.mean(axis=0), overall) ** 2
        for each in asked
    ]
    np.testing.assert_allclose(ours, expected, rtol=0.02, atol=0.3)


@pytest.mark.parametrize(
    "name", [NETWORK, "squeezenet1_1", pytest.param("mobilenetv3_small_050", marks=pytest.mark.slow)]
)
def test_a_network_of_any_kind_appends_the_score_and_keeps_its_logits(name):
    """SqueezeNet has a ReLU and a mean behind its classifier, which is a convolution."""
    torch.manual_seed(0)
    size = Preprocessing(64, 64)
    network = FrameNetwork(build_model(name, 3), size).eval()
    frames = np.stack([np.asarray(draw_frame(number, number, (64, 64))) for number in range(3)])
    logits, features = network.infer(frames), last_features(network)(frames)
    state = head_of(features.shape[1])
    assert not gives_known(network)
    add_known(network.network, state)
    assert gives_known(network)
    outputs = FrameNetwork(fold(network.network), size).infer(frames)
    np.testing.assert_allclose(outputs[:, :3], logits, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(outputs[:, 3:], KnownHead(state)(torch.from_numpy(features)), rtol=1e-3, atol=1e-4)


def test_a_network_without_a_single_classifier_gets_no_score():
    assert (
        last_features(FrameNetwork(build_model("deit_tiny_distilled_patch16_224", 3), Preprocessing(224, 224))) is None
    )


def test_places_scatter_by_1_inside_a_class():
    features, labels = clusters(20_000, 3)
    found = discriminants(features, labels)
    places = ((torch.from_numpy(features) - found.center) @ found.projection).numpy()
    inside = places - np.stack([places[labels == label].mean(axis=0) for label in range(CLASSES)])[labels]
    np.testing.assert_allclose(np.cov(inside.T), np.eye(WIDTH), atol=0.02)
    spread = places.var(axis=0)
    assert (np.diff(spread) < 0.02).all()  # the directions that tell classes apart come first
    assert (spread[: CLASSES - 1] > 2).all()


def test_in_bf16_the_score_is_computed_in_fp32():
    network = build_model(NETWORK, 3).eval()
    classifier = network.get_submodule("head.fc")
    state = head_of(classifier.in_features)
    add_known(network, state)
    head = InBFloat16(network).network.get_submodule("head.fc").known_head
    for name, value in head.state_dict().items():
        assert value.dtype == torch.float32
        assert torch.equal(value, state[name])


# -- what it is fitted to


def test_it_tells_outliers_that_it_never_saw_and_refuses_the_wanted_share(fitted):
    head, threshold = KnownHead(fitted.head), fitted.refusals.threshold()
    known = head(torch.from_numpy(clusters(5000, 11)[0]))[:, 0].numpy()
    others = head(torch.from_numpy(clusters(1000, 12, centers_of=8)[0]))[:, 0].numpy()
    assert (others < threshold).mean() > 0.95
    assert 0.002 < (known < threshold).mean() < 0.06
    assert known.mean() > 0.9 > 0.1 > others.mean()


def test_the_same_frames_and_seed_give_the_same_score(fitted):
    again = fit_known(evidence(), refuse=0.02, seed=0).known
    assert again.refusals == fitted.refusals
    assert all(torch.equal(again.head[name], value) for name, value in fitted.head.items())
    assert not torch.equal(
        fit_known(evidence(), 0.02, seed=1).known.head["hidden.weight"], fitted.head["hidden.weight"]
    )


def test_fitting_leaves_the_generators_alone():
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    fit_known(evidence(), 0.02, seed=0)
    assert torch.equal(torch.rand(1), expected)


def test_too_few_frames_fit_no_score_and_a_sentence_says_how_many_it_takes():
    few = fit_known(evidence(validation=99), 0.01, 0)
    assert few.known is None
    assert few.sentence.endswith("99 validation frames could be read, 100 needed")


def test_a_short_list_ends_the_table_earlier_and_says_so():
    short = fit_known(evidence(validation=150), refuse=0.001, seed=0)
    assert short.known.refusals.rates[0] == 0.01
    assert short.known.refusals.default == 0.01
    assert "note: 150 validation frames fit no rate below 0.01; 0.001 takes 1000" in short.sentence


def test_features_that_tell_nothing_give_no_score():
    """Outliers that look more like the validation frames than these do themselves."""
    given = evidence()
    turned = replace(given, held_out_known=given.outliers[:300], held_out_outliers=given.known[:300])
    assert fit_known(turned, 0.01, 0).known is None


# -- thresholds


def test_a_threshold_refuses_exactly_its_share_of_the_frames_it_is_fitted_on():
    known = np.random.default_rng(0).random(1000).astype(np.float32)
    table = fit_refusals(known, np.linspace(0, 1, 11), (0.001, 0.01, 0.25), 0.01)
    assert [int((known < threshold).sum()) for threshold in table.thresholds] == [1, 10, 250]
    assert table.caught[2] == pytest.approx(3 / 11)
    assert Refusals.from_dict(table.to_dict()) == table


def test_a_rate_between_two_is_interpolated_and_0_refuses_nothing():
    table = Refusals((0.01, 0.02), (0.4, 0.6), (0.5, 0.7), 0.02)
    assert table.threshold() == 0.6
    assert table.threshold(0.015) == pytest.approx(0.5)
    assert table.threshold(0) == 0


@pytest.mark.parametrize("rate", [-0.1, 0.6, float("nan")])
def test_a_rate_out_of_range_is_refused(rate):
    with pytest.raises(InputError, match=r"refusal rate .*from 0 \(none\) to 0.5"):
        Refusals((0.01,), (0.4,), (0.5,), 0.01).threshold(rate)


def test_a_rate_that_could_not_be_fitted_says_how_many_frames_it_takes():
    with pytest.raises(InputError, match=r"begin at 0.01.*train with 500 validation frames"):
        Refusals((0.01,), (0.4,), (0.5,), 0.01).threshold(0.002)
    assert [frames_needed(rate) for rate in (0.001, 0.01, 0.03, 0.5)] == [1000, 100, 34, 2]


# -- outliers


@pytest.mark.parametrize("size", [(32, 32), (48, 80)])
def test_outliers_are_of_every_kind_and_differ_from_the_games(size):
    games = np.stack([np.asarray(draw_frame(n % 3, n, size[::-1])) for n in range(9)])
    made = make_outliers(games, 3 * len(KINDS), np.random.default_rng(0))
    assert made.shape == (3 * len(KINDS), *size, 3)
    assert made.dtype == np.uint8
    assert np.array_equal(made, make_outliers(games, 3 * len(KINDS), np.random.default_rng(0)))
    for frame in made:
        assert not (games == frame).all(axis=(1, 2, 3)).any()
    assert len({frame.tobytes() for frame in made}) > 2.5 * len(KINDS)


# -- every form


def frames_of(side: int = 32) -> np.ndarray:
    return np.stack([np.asarray(draw_frame(number % 3, number, (side, side))) for number in range(6)])


def test_a_training_ends_with_the_score_and_probabilities_stay_as_they_were(calibrated, tmp_path):
    trained = load_checkpoint(calibrated.best)
    assert trained.known is not None
    assert trained.weights_sha256() != replace(trained, known=None).weights_sha256()
    before = tmp_path / "before.pth"
    save_checkpoint(before, replace(trained, known=None))
    probabilities, known = load_runner(calibrated.best, "cpu").answer(frames_of())
    assert known.shape == (6,)
    assert known.dtype == np.float32
    assert ((known > 0) & (known < 1)).all()
    old = load_runner(before, "cpu")
    assert np.array_equal(old(frames_of()), probabilities)
    assert np.array_equal(load_runner(calibrated.best, "cpu")(frames_of()), probabilities)
    assert old.answer(frames_of())[1] is None
    assert old.refusals is None


@pytest.fixture(scope="module")
def knowing_files(calibrated, tmp_path_factory):
    checkpoint, data = load_checkpoint(calibrated.best), read_dataset(calibrated.dataset)
    task = task_of(NETWORK)
    judged = gate_frames(task, data.val, 60, checkpoint.preprocessing, 2)
    calibration = calibration_frames(task, data.train, 9, checkpoint.preprocessing, 2)
    loose = GateConfig(bf16_agreement=0.9, int8_agreement=0.9, bf16_decisions=0.9, int8_decisions=0.9, top1_drop=0.1)
    folder = tmp_path_factory.mktemp("knowing")
    return convert(checkpoint, folder, judged, formats=installed_formats(), calibration=calibration, limits=loose)


def test_every_form_gives_the_score_and_the_thresholds(calibrated, knowing_files):
    expected = load_runner(calibrated.best, "cpu")
    for path in knowing_files.files:
        runner = load_runner(path, "cpu", "fp32" if path.name.endswith("_openvino.xml") else "auto")
        probabilities, known = runner.answer(frames_of())
        limit = 1e-4 if runner.precision == "fp32" else 0.25  # a network learnt in seconds, and the widest in INT8
        np.testing.assert_allclose(known, expected.answer(frames_of())[1], atol=limit, err_msg=path.name)
        np.testing.assert_allclose(probabilities, expected(frames_of()), atol=limit, err_msg=path.name)
        assert np.array_equal(runner(frames_of()), probabilities)
        assert runner.refusals == expected.refusals
    for row in knowing_files.rows:
        assert row.figures["decisions"] >= 0.9
        assert row.precision != "fp32" or row.figures["known_difference"] <= 1e-4 or "reduced" in row.step


def test_a_program_that_reads_probabilities_alone_goes_on_working(calibrated, knowing_files):
    """Without code of ours, as a C++ service does; `answer` is there for those that want both."""
    import onnxruntime
    import openvino as ov

    expected, known = load_runner(calibrated.best, "cpu").answer(frames_of())
    by_end = {path.name.removeprefix(NETWORK): path for path in knowing_files.files}
    module = torch.jit.load(str(by_end["_cpp_deploy.pt"]))
    np.testing.assert_allclose(module(torch.from_numpy(frames_of())), expected, atol=1e-5)
    both = module.answer(torch.from_numpy(frames_of()))
    np.testing.assert_allclose(both[1], known, atol=1e-5)
    session = onnxruntime.InferenceSession(str(by_end[".onnx"]), providers=["CPUExecutionProvider"])
    assert [output.name for output in session.get_outputs()] == ["probabilities", "known"]
    np.testing.assert_allclose(session.run(None, {"frames": frames_of()})[0], expected, atol=1e-4)
    model = ov.Core().read_model(by_end["_openvino.xml"])
    assert [output.any_name for output in model.outputs] == ["probabilities", "known"]


def test_in_int8_the_score_is_not_quantized(knowing_files):
    import openvino as ov

    path = next((path for path in knowing_files.files if "int8" in path.name), None)
    if path is None:
        pytest.skip("NNCF is not installed")
    names = [op.get_friendly_name() for op in ov.Core().read_model(path).get_ordered_ops()]
    assert any(".known_head" in name for name in names)
    assert any("fq_" in name for name in names)
    assert not any(".known_head" in name and "fq_" in name for name in names)


def test_the_gate_refuses_a_form_with_other_decisions():
    comparison = ProbabilityComparison(0.5)
    expected = np.column_stack([np.full((100, 2), 0.5), np.full(100, 0.9)]).astype(np.float32)
    limits, targets = GateConfig(), np.zeros(100, int)
    trained = comparison.figures(expected, expected, targets)
    assert comparison.complaint(trained, trained, "bf16", limits, targets) == ""
    other = expected.copy()
    other[:3, -1] = 0.1
    figures = comparison.figures(other, expected, targets)
    assert figures["decisions"] == pytest.approx(0.97)
    for precision, least in (("bf16", "0.99"), ("int8", "0.98")):
        complaint = comparison.complaint(figures, trained, precision, limits, targets)
        assert complaint.endswith(f"less than gate.{precision}_decisions {least}")
    assert "`known` differs by 8.0e-01" in comparison.complaint(figures, trained, "fp32", limits, targets)
    other[0, -1] = np.nan
    assert comparison.complaint(comparison.figures(other, expected, targets), trained, "fp32", limits, targets)

"""The Python interface: the same answers as the commands, for arrays, files and endless streams of frames."""

import os
import shutil
import subprocess
import sys
import venv
from itertools import count, islice
from pathlib import Path

import numpy as np
import pytest
from conftest import CLASSES, ROOT, draw_frame

import game_classifier


@pytest.fixture(scope="module")
def classifier(trained) -> game_classifier.Classifier:
    return game_classifier.load(trained.best)


def test_files_are_answered_in_order_and_as_batch_prediction_does(tmp_path, trained, classifier, run):
    save = tmp_path / "save"
    images = trained.dataset / "val"
    assert run("src/predict_repvgg.py", "-w", trained.best, "--input", images, "--save", save).status == 0
    predictions = game_classifier.read_predictions(save / "val.npy")
    assert predictions.class_names == classifier.class_names == tuple(sorted(CLASSES))
    paths = sorted(images.rglob("*.jpg"), key=str)
    answers = list(classifier.classify_files(paths))
    np.testing.assert_allclose([each.probabilities for each in answers], predictions.rows["probs"], atol=1e-6)
    assert [each.class_name for each in answers] == [classifier.class_names[i] for i in predictions.rows["pred"]]
    assert all(each.probability == each.probabilities.max() and not each.error for each in answers)


def test_a_file_that_cannot_be_read_moves_no_other(tmp_path, trained, classifier):
    good = next((trained.dataset / "val").rglob("*.jpg"))
    (tmp_path / "half.jpg").write_bytes(good.read_bytes()[:900])
    first, missing, half, last = classifier.classify_files(
        [good, tmp_path / "none.jpg", str(tmp_path / "half.jpg"), good]
    )
    assert (missing.class_name, missing.probabilities, missing.error) == (None, None, "missing")
    assert np.isnan(missing.probability)
    assert half.error == "truncated"
    np.testing.assert_allclose(first.probabilities, last.probabilities, atol=1e-6)
    assert [each.error for each in classifier.classify_files([tmp_path / "none.jpg"] * 40)] == ["missing"] * 40


@pytest.mark.parametrize("path", ["a.jpg", Path("a.jpg")])
def test_a_single_path_is_not_read_as_a_list_of_letters(classifier, path):
    with pytest.raises(game_classifier.InputError, match=r"^a.jpg: a single path; give a list of paths, such as \['a"):
        classifier.classify_files(path)


def test_arrays_of_any_size_and_number(classifier):
    frames = np.stack([np.asarray(draw_frame(i % 3, i)) for i in range(70)])
    probabilities = classifier.classify(frames)
    assert probabilities.shape == (70, 3)
    assert probabilities.dtype == np.float32
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-5)
    np.testing.assert_allclose(classifier.classify(frames[40:41])[0], probabilities[40], atol=1e-6)
    assert classifier.classify(frames[:0]).shape == (0, 3)
    assert classifier.classify(frames[:2, ::-1]).shape == (2, 3)  # a view that torch cannot take as it is


def test_frames_of_an_endless_source_are_taken_as_needed(classifier):
    taken = []

    def frames():
        for number in count():
            taken.append(number)
            yield np.asarray(draw_frame(number % 3, number, (64 + number, 48)))

    answers = list(islice(classifier.classify_frames(frames()), 40))
    assert len(taken) == 64  # two batches
    for number in (0, 39):
        alone = classifier.classify(np.asarray(draw_frame(number % 3, number, (64 + number, 48)))[None])[0]
        np.testing.assert_allclose(answers[number].probabilities, alone, atol=1e-6)


@pytest.mark.parametrize(
    ("frames", "reason"),
    [
        (
            np.zeros((2, 8, 8, 3), np.float32),
            "type float32: give uint8 RGB of shape [N, H, W, 3]",
        ),
        (np.zeros((8, 8, 3), np.uint8), "shape [8, 8, 3] and type uint8"),
        (np.zeros((1, 8, 8, 4), np.uint8), "shape [1, 8, 8, 4]"),
        (np.zeros((1, 0, 8, 3), np.uint8), "shape [1, 0, 8, 3]"),
    ],
)
def test_arrays_that_are_no_frames(classifier, frames, reason):
    with pytest.raises(game_classifier.InputError) as error:
        classifier.classify(frames)
    assert reason in str(error.value)


def test_a_frame_of_another_shape_ends_the_stream(classifier):
    with pytest.raises(game_classifier.InputError, match=r"a frame of shape \[8, 8\] and type uint8: give uint8 RGB"):
        list(classifier.classify_frames([np.zeros((8, 8), np.uint8)]))


def test_files_that_are_no_predictions(tmp_path):
    with pytest.raises(game_classifier.InputError, match=r"a.npy: no such file; src/predict_repvgg.py writes"):
        game_classifier.read_predictions(tmp_path / "a.npy")
    np.save(tmp_path / "a.npy", np.zeros(3))
    with pytest.raises(game_classifier.InputError, match=r"a.json: no such file"):
        game_classifier.read_predictions(tmp_path / "a.npy")
    (tmp_path / "a.json").write_text('{"rows": 4, "class_names": []}')
    with pytest.raises(game_classifier.InputError, match=r"a.npy: does not fit its manifest a.json; predict"):
        game_classifier.read_predictions(tmp_path / "a.npy")
    (tmp_path / "a.npy").write_bytes(b"not numpy")
    with pytest.raises(game_classifier.InputError, match="does not fit its manifest"):
        game_classifier.read_predictions(tmp_path / "a.npy")


def test_importing_the_package_is_cheap_and_shows_its_names():
    code = "import sys, game_classifier; assert 'torch' not in sys.modules; print(*dir(game_classifier))"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert set(game_classifier.__all__) <= set(shown)
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        _ = game_classifier.nothing


@pytest.mark.slow
def test_a_wheel_works_outside_the_checkout(tmp_path, trained):
    """Its dependencies are those of this environment: they are found by a path, the package only by the wheel."""
    checkout = tmp_path / "checkout"  # building leaves files beside the sources
    shutil.copytree(ROOT / "src", checkout / "src", ignore=shutil.ignore_patterns("*.egg-info", "__pycache__"))
    for name in ("pyproject.toml", "requirements.txt", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, checkout)
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(tmp_path), str(checkout)]
    subprocess.run(build, capture_output=True, check=True)
    [wheel] = tmp_path.glob("*.whl")
    venv.create(tmp_path / "env", with_pip=True)
    python = tmp_path / "env/bin/python"
    # PYTHONPATH names this checkout, in which pip would find the package installed.
    bare = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    install = [python, "-m", "pip", "install", "--quiet", "--no-deps", wheel]
    subprocess.run(install, capture_output=True, check=True, env=bare)
    [packages] = (tmp_path / "env").glob("lib/python*/site-packages")
    (packages / "dependencies.pth").write_text(f"{Path(np.__file__).parents[1]}\n")
    image = next((trained.dataset / "val").rglob("*.jpg"))
    code = (
        "import game_classifier\n"
        f"[answer] = game_classifier.load({str(trained.best)!r}).classify_files([{str(image)!r}])\n"
        "print(game_classifier.__file__, answer.class_name)\n"
    )
    done = subprocess.run([python, "-c", code], capture_output=True, text=True, cwd=tmp_path, env=bare)
    assert done.returncode == 0, done.stderr
    file, name = done.stdout.strip().split(" ", 1)
    assert Path(file).is_relative_to(packages)
    assert name in CLASSES

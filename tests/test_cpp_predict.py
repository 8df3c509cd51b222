"""scripts/cpp_predict answers as Python does; needs cmake, a C++ compiler and libjpeg with its header."""

import io
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import simplejpeg
import torch
from box_frames import COLOURS, NETWORK, drawn_frames, untrained
from conftest import ROOT, Outcome
from PIL import Image
from test_export import converted

from game_classifier.deploy.export import convert
from game_classifier.deploy.frame_sets import gate_frames
from game_classifier.deploy.gate import GateFrames
from game_classifier.deploy.golden import write_golden
from game_classifier.lists.box_list import without_boxes
from game_classifier.lists.dataset import read_dataset
from game_classifier.models.checkpoint import load_checkpoint
from game_classifier.runtime.runner import load_runner
from game_classifier.tasks.choose import task_of
from game_classifier.tasks.detection.nms import select_boxes

pytestmark = pytest.mark.slow  # builds a C++ program

SOURCES = ROOT / "scripts" / "cpp_predict"
MISSING_JPEG = "libjpeg's header is not installed (Debian: libjpeg62-turbo-dev)"
NAMES = ("space invaders", "乒乓", "Ms. Pac-Man")
# No GPU, so that its refusal can be tested; and waiting threads sleep, since spinning beside other work costs seconds.
ENVIRONMENT = {**os.environ, "CUDA_VISIBLE_DEVICES": "", "OMP_WAIT_POLICY": "PASSIVE"}


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    compiler = os.environ.get("CXX") or shutil.which("g++") or shutil.which("c++")
    if not shutil.which("cmake") or not compiler:
        pytest.skip("cmake or a C++ compiler is not installed")
    folder = tmp_path_factory.mktemp("cpp_predict")
    (folder / "probe.cpp").write_text(
        "#include <cstdio>\n#include <jpeglib.h>\nint main() { jpeg_std_error(nullptr); }\n"
    )
    probe = [compiler, "probe.cpp", "-o", "probe", "-ljpeg"]
    if subprocess.run(probe, cwd=folder, capture_output=True).returncode:
        pytest.skip(MISSING_JPEG)
    build = folder / "build"
    for command in (
        ["cmake", "-S", SOURCES, "-B", build, f"-DPYTHON={sys.executable}"],
        ["cmake", "--build", build],
    ):
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
    return build / "cpp_predict"


@pytest.fixture
def cpp(program: Path) -> Callable[..., Outcome]:
    """Run the program with these arguments."""

    def run_program(*arguments: object) -> Outcome:
        done = subprocess.run([program, *map(str, arguments)], capture_output=True, encoding="utf-8", env=ENVIRONMENT)
        return Outcome(done.returncode, done.stdout, done.stderr)

    return run_program


@pytest.fixture(scope="module")
def deploy_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return converted(tmp_path_factory.mktemp("deploy"))


@dataclass(frozen=True)
class Answer:
    """What the program printed of one image."""

    path: str
    probabilities: dict[str, float]  # by class name, in the order of the lines
    decode: float
    inference: float


def answers(outcome: Outcome) -> list[Answer]:
    found = []
    lines = iter(outcome.out.splitlines())
    for path in lines:
        probabilities: dict[str, float] = {}
        for line in lines:
            if times := re.fullmatch(r"  decode (\d+\.\d\d) ms, inference (\d+\.\d\d) ms", line):
                found.append(Answer(path, probabilities, float(times[1]), float(times[2])))
                break
            probability, name = re.fullmatch(r"  (\S+) +(\S.*)", line).groups()
            probabilities[name] = float(probability)
    assert found, outcome
    return found


def draw_scene(width: int, height: int) -> np.ndarray:
    """uint8 RGB [height, width, 3] as a game shows them: shaded ground, noise, things with sharp edges."""
    random = np.random.default_rng(width)
    coarse = random.integers(0, 256, (9, 16, 3), dtype=np.uint8)
    ground = Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)
    pixels = np.asarray(ground) + random.integers(-12, 13, (height, width, 3))
    for _ in range(12):
        top, left = random.integers(0, height * 3 // 4), random.integers(0, width * 3 // 4)
        pixels[top : top + height // 5, left : left + width // 6] = random.integers(0, 256, 3)
    return pixels.clip(0, 255).astype(np.uint8)


def write_ppm(path: Path, pixels: np.ndarray, header: str = "P6\n{} {}\n255\n") -> Path:
    path.write_bytes(header.format(pixels.shape[1], pixels.shape[0]).encode() + pixels.tobytes())
    return path


SIZES = ((1280, 720), (320, 180), (64, 64))  # the last is the network's


def test_the_same_pixels_get_the_probabilities_that_python_gives_them(cpp, deploy_file, tmp_path):
    scenes = [draw_scene(*size) for size in SIZES]
    files = [write_ppm(tmp_path / f"{scene.shape[1]}.ppm", scene) for scene in scenes]
    outcome = cpp(deploy_file, *files, "--all")
    assert (outcome.status, outcome.err) == (0, "")
    classifier = load_runner(deploy_file, "cpu")
    for answer, file, scene in zip(answers(outcome), files, scenes, strict=True):
        expected = classifier(scene[None])[0]
        assert (answer.path, tuple(answer.probabilities)) == (str(file), classifier.class_names)
        np.testing.assert_allclose(list(answer.probabilities.values()), expected, atol=1e-5, rtol=0)
        assert abs(expected - classifier(scene[None, :, :, ::-1].copy())[0]).max() > 1e-3  # BGR would be noticed
        assert answer.inference > 0


JPEG_FORMS = {
    "420": {"subsampling": 2},
    "422": {"subsampling": 1},
    "444": {"subsampling": 0},
    "progressive": {"subsampling": 2, "progressive": True},
    "grey": {},
}


def test_jpegs_get_the_probabilities_that_python_gives_their_full_size_decode(cpp, deploy_file, tmp_path):
    files = []
    for width, height in (*SIZES, (321, 181)):
        for form, options in JPEG_FORMS.items():
            image = Image.fromarray(draw_scene(width, height))
            files.append(tmp_path / f"{width}_{form}.jpg")
            image.convert("L" if form == "grey" else "RGB").save(files[-1], quality=85, **options)
    outcome = cpp(deploy_file, *files, "--all")
    assert (outcome.status, outcome.err) == (0, "")
    classifier = load_runner(deploy_file, "cpu")
    for answer, file in zip(answers(outcome), files, strict=True):
        # libjpeg-turbo 2.1 (Debian 12's) and 3.2 (simplejpeg's and Pillow's) decode to the same pixels, bit by bit.
        pixels = simplejpeg.decode_jpeg(file.read_bytes(), "RGB")
        np.testing.assert_array_equal(pixels, np.asarray(Image.open(file).convert("RGB")))
        expected = classifier(pixels[None])[0]
        np.testing.assert_allclose(list(answer.probabilities.values()), expected, atol=1e-5, rtol=0, err_msg=str(file))


def test_the_likeliest_classes_come_first_under_their_names(cpp, deploy_file, tmp_path):
    file = write_ppm(tmp_path / "a frame.ppm", draw_scene(320, 180))
    every = answers(cpp(deploy_file, file, "--all"))[0].probabilities
    assert tuple(every) == NAMES
    descending = sorted(every.items(), key=lambda item: -item[1])
    assert list(answers(cpp(deploy_file, file))[0].probabilities.items()) == descending
    assert list(answers(cpp(deploy_file, file, "--top", 2))[0].probabilities.items()) == descending[:2]


def test_one_thread_answers_alike(cpp, deploy_file, tmp_path):
    file = write_ppm(tmp_path / "a.ppm", draw_scene(320, 180))
    one, default = (answers(cpp(deploy_file, file, *options))[0] for options in (("--threads", 1), ()))
    assert one.probabilities == pytest.approx(default.probabilities, abs=1e-5)


def test_the_content_decides_what_a_file_is(cpp, deploy_file, tmp_path):
    pixels = draw_scene(320, 180)
    write_ppm(tmp_path / "ppm.jpg", pixels, "P6 # made by hand\n{}\t{}\n# 8 bits\n255\n")
    Image.fromarray(pixels).save(tmp_path / "jpeg.ppm", format="JPEG", quality=95)
    write_ppm(tmp_path / "plain.ppm", pixels)
    commented, jpeg, plain = answers(cpp(deploy_file, *(tmp_path / f for f in ("ppm.jpg", "jpeg.ppm", "plain.ppm"))))
    assert commented.probabilities == plain.probabilities
    assert jpeg.probabilities == pytest.approx(plain.probabilities, abs=0.05)


def jpeg_bytes(pixels: np.ndarray, mode: str = "RGB") -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).convert(mode).save(buffer, "JPEG", quality=90)
    return buffer.getvalue()


def bad_images(folder: Path) -> dict[Path, str]:
    """Each bad image, and what is said of it."""
    whole = jpeg_bytes(draw_scene(320, 180))
    damaged = bytearray(whole)
    damaged[len(whole) // 2 : len(whole) // 2 + 2] = b"\xff\xc4"  # a marker in the middle of the pixels
    contents = {
        "half.jpg": (whole[: len(whole) // 2], "Premature end of JPEG file; copy the file again"),
        "no_end_mark.jpg": (whole[:-2], "Premature end of JPEG file; copy the file again"),
        "damaged.jpg": (bytes(damaged), "copy the file again or leave it out"),
        "cmyk.jpg": (jpeg_bytes(draw_scene(32, 32), "CMYK"), "a JPEG in CMYK; save it in RGB"),
        "empty.jpg": (b"", "an empty file; copy the file again"),
        "text.jpg": (b"hello", "neither a JPEG nor a binary PPM (P6); convert it"),
        "half.ppm": (b"P6\n4 4\n255\n" + bytes(47), "the data ends early; copy the file again"),
        "header.ppm": (b"P6\n4 x\n255\n", "a PPM header without its numbers; copy the file again"),
        "flat.ppm": (b"P6\n0 4\n255\n", "no pixels; copy the file again"),
        "huge.ppm": (b"P6\n99999999999999999999 1\n255\n", "more than 134217728 pixels; make the picture smaller"),
        "16_bits.ppm": (b"P6\n4 4\n65535\n" + bytes(96), "largest value is not 255; save it with 8 bits"),
    }
    for name, (content, _) in contents.items():
        (folder / name).write_bytes(content)
    (folder / "folder.jpg").mkdir()
    unread = "give the path of a JPEG or PPM file that can be read"
    return {folder / name: said for name, (_, said) in contents.items()} | {
        folder / "none.jpg": f"No such file or directory; {unread}",
        folder / "folder.jpg": f"Is a directory; {unread}",
    }


def test_each_bad_image_is_one_line_and_the_others_are_classified(cpp, deploy_file, tmp_path):
    bad = bad_images(tmp_path)
    first, last = (write_ppm(tmp_path / f"{name}.ppm", draw_scene(64, 64)) for name in ("first", "last"))
    outcome = cpp(deploy_file, first, *bad, last)
    assert outcome.status == 2
    for line, (path, said) in zip(outcome.err.splitlines(), bad.items(), strict=True):
        assert line.startswith(f"error: {path}: ")
        assert said in line
    before, after = answers(outcome)
    assert (before.path, after.path) == (str(first), str(last))
    assert before.probabilities == after.probabilities


def test_only_bad_images(cpp, deploy_file, tmp_path):
    outcome = cpp(deploy_file, tmp_path / "none.jpg")
    assert outcome.out == ""
    assert "none.jpg: No such file" in outcome.error


def save_plain(path: Path, module: torch.nn.Module, extra: dict[str, bytes]) -> Path:
    torch.jit.save(torch.jit.script(module), str(path), _extra_files=extra)
    return path


def test_a_file_that_is_no_deploy_file_is_refused_in_one_line(cpp, deploy_file, tmp_path):
    frame = write_ppm(tmp_path / "a.ppm", draw_scene(64, 64))
    convert_again = "convert the checkpoint again with src/main_convert.py"

    def said_of(path: Path) -> str:
        outcome = cpp(path, frame)
        assert outcome.out == ""
        assert len(outcome.err.splitlines()) == 1
        return outcome.error.removeprefix(f"{path}: ")

    assert said_of(tmp_path / "none.pt") == "no such file; src/main_convert.py writes NETWORK_cpp_deploy.pt"
    whole = deploy_file.read_bytes()
    for content in (whole[: len(whole) // 2], b"hello", b""):
        (tmp_path / "damaged.pt").write_bytes(content)
        said = said_of(tmp_path / "damaged.pt")
        assert re.fullmatch(rf"not a TorchScript file, or a damaged one \(Py[^()]+\); {convert_again}", said)
    linear = torch.nn.Linear(2, 2)
    assert said_of(save_plain(tmp_path / "a.pt", linear, {})) == f"no class names inside; {convert_again}"
    empty = save_plain(tmp_path / "b.pt", linear, {"class_names.txt": b""})
    assert said_of(empty) == f"no class names inside; {convert_again}"
    other = said_of(save_plain(tmp_path / "c.pt", linear, {"class_names.txt": b"a\nb\n"}))
    assert re.fullmatch(rf"its network cannot run \(.*\bByte\b.*\); {convert_again}, with the torch that .*", other)


def test_names_that_do_not_fit_the_network_are_refused(cpp, deploy_file, tmp_path):
    module = torch.jit.load(str(deploy_file))
    torch.jit.save(module, str(tmp_path / "two.pt"), _extra_files={"class_names.txt": b"a\nb\n"})
    outcome = cpp(tmp_path / "two.pt", write_ppm(tmp_path / "a.ppm", draw_scene(64, 64)))
    assert "it names 2 classes, its network has 3; convert the checkpoint again" in outcome.error


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "no deploy file given; usage: cpp_predict FILE.pt IMAGE..."),
        (["FILE"], "no images given; usage: cpp_predict FILE.pt IMAGE..."),
        (["FILE", "a.jpg", "--tpo", "3"], "unknown option --tpo; usage: "),
        (["FILE", "a.jpg", "--top"], "--top needs a value; usage: "),
        (["FILE", "a.jpg", "--top", "0"], "--top takes a whole number of at least 1, not '0'"),
        (["FILE", "a.jpg", "--threads", "2x"], "--threads takes a whole number of at least 1, not '2x'"),
        (["FILE", "a.jpg", "--score", "1.5"], "--score takes a number from 0 to 1, not '1.5'"),
        (["FILE", "a.jpg", "--overlap", "half"], "--overlap takes a number from 0 to 1, not 'half'"),
        (["FILE", "a.jpg", "--device", "tpu"], "--device takes cpu or cuda, not 'tpu'"),
        (["FILE", "a.jpg", "--device", "cuda"], "--device cuda: no GPU that this libtorch can use; give --device cpu"),
    ],
)
def test_wrong_usage_is_one_line(cpp, deploy_file, arguments, said):
    outcome = cpp(*(deploy_file if argument == "FILE" else argument for argument in arguments))
    assert outcome.out == ""
    assert len(outcome.err.splitlines()) == 1
    assert outcome.error.startswith(said)


def test_help(cpp):
    outcome = cpp("--help")
    assert (outcome.status, outcome.err) == (0, "")
    assert outcome.out.startswith("cpp_predict FILE.pt IMAGE...")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full, which stands in for a full disk")
def test_output_that_cannot_be_written_is_an_error(program, deploy_file, tmp_path):
    frame = write_ppm(tmp_path / "a.ppm", draw_scene(64, 64))
    with Path("/dev/full").open("w") as full:
        done = subprocess.run([program, deploy_file, frame], stdout=full, stderr=subprocess.PIPE, text=True)
    assert done.returncode == 2
    assert done.stderr == "error: standard output cannot be written; is its disk full?\n"


def test_the_known_score_is_printed_where_the_file_gives_it(cpp, calibrated, tmp_path):
    checkpoint = load_checkpoint(calibrated.best)
    frames = gate_frames(
        task_of(checkpoint.network), read_dataset(calibrated.dataset).val, 20, checkpoint.preprocessing, 2
    )
    knowing = convert(checkpoint, tmp_path, frames).files[0]
    scene = draw_scene(320, 180)
    outcome = cpp(knowing, write_ppm(tmp_path / "scene.ppm", scene), "--all")
    printed = re.search(r"^  known (\S+)$", outcome.out, re.MULTILINE)
    probabilities, known = load_runner(knowing, "cpu").answer(scene[None])
    assert float(printed[1]) == pytest.approx(known[0], abs=1e-5)
    first = outcome.out.splitlines()[1].split()[0]
    assert float(first) == pytest.approx(probabilities[0, 0], abs=1e-5)


# Detectors.


@pytest.fixture(scope="module")
def detector_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Many of its boxes overlap."""
    folder = tmp_path_factory.mktemp("detector")
    return convert(untrained(), folder, GateFrames(drawn_frames(2), without_boxes(2))).files[0]


def found_boxes(outcome: Outcome) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """(Scores float32 [k], boxes float32 [k, 4], class names) that the program printed of one image."""
    _, *lines, times = outcome.out.splitlines()
    assert times.startswith("  decode "), outcome
    parts = [re.fullmatch(r"  (\S+) +(\S+) (\S+) (\S+) (\S+)  (\S.*)", line).groups() for line in lines]
    values = np.array([part[:5] for part in parts], np.float32).reshape(-1, 5)
    return values[:, 0], values[:, 1:], [part[5] for part in parts]


@pytest.mark.parametrize("size", [*SIZES, (97, 333)])
def test_boxes_are_those_of_python_bit_for_bit_before_suppression_and_the_same_after_it(
    cpp, detector_file, tmp_path, size
):
    scene = draw_scene(*size)
    file = write_ppm(tmp_path / "a.ppm", scene)
    runner = load_runner(detector_file, "cpu")
    for _ in range(3):  # TorchScript rewrites a network in its first runs; the program skips these
        boxes, scores = (torch.from_numpy(each[0]) for each in runner.infer(scene[None]))
    printed, corners, names = found_boxes(cpp(detector_file, file, "--all", "--threads", torch.get_num_threads()))
    assert names == list(COLOURS) * len(boxes)
    np.testing.assert_array_equal(printed.reshape(-1, 3), scores.numpy())
    np.testing.assert_array_equal(corners, np.repeat(boxes.numpy(), 3, axis=0))
    for least, overlap in ((0.001, 0.6), (0.05, 0.45), (0.25, 0.2)):
        options = ("--score", least, "--overlap", overlap, "--threads", torch.get_num_threads())
        printed, corners, names = found_boxes(cpp(detector_file, file, *options))
        box, score, label = select_boxes(boxes, scores, least, overlap)
        assert 5 < len(box) < (scores > least).sum()
        np.testing.assert_array_equal(printed, score.numpy())
        np.testing.assert_array_equal(corners, box.numpy())
        assert names == [list(COLOURS)[each] for each in label]


def test_the_golden_boxes_of_a_detector_are_found(cpp, detector_file, tmp_path):
    Image.fromarray(draw_scene(320, 180)).save(tmp_path / "scene.png")
    task = task_of(NETWORK)
    write_golden(tmp_path / "golden", load_runner(detector_file, "cpu"), task.comparison, [str(tmp_path / "scene.png")])
    golden = json.loads((tmp_path / "golden" / "golden.json").read_text())["frames"][0]
    options = ("--score", golden["least_score"], "--overlap", golden["overlap"])
    printed, corners, names = found_boxes(cpp(detector_file, tmp_path / "golden" / "0.ppm", *options))
    assert [box["class"] for box in golden["boxes"]] == names
    np.testing.assert_allclose([box["score"] for box in golden["boxes"]], printed, atol=1e-5)
    np.testing.assert_allclose([box["box"] for box in golden["boxes"]], corners, atol=1e-2)


def test_names_that_do_not_fit_a_detector_are_refused(cpp, detector_file, tmp_path):
    module = torch.jit.load(str(detector_file))
    torch.jit.save(module, str(tmp_path / "two.pt"), _extra_files={"class_names.txt": b"a\nb\n"})
    outcome = cpp(tmp_path / "two.pt", write_ppm(tmp_path / "a.ppm", draw_scene(64, 64)))
    assert "it names 2 classes, its network has 3; convert the checkpoint again" in outcome.error

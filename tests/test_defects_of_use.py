"""Defects that a user met, each with the way it was met."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT, draw_frame, make_class_folders, make_dataset

from game_classifier.runtime.runner import load_runner

STAGES = ["split", "lists", "check", "train", "convert", "validate", "predict"]

# What the main job's own commands leave behind, without a network. Batch prediction keeps a list that is finished.
STAND_INS = {
    "main_train.py": """
models = value("-o") / "model"
models.mkdir(parents=True, exist_ok=True)
for which in ("best", "last"):
    (models / f"repvgg_a0_{which}.pth").write_text("weights")
""",
    "main_convert.py": """
value("-o").mkdir(exist_ok=True)
(value("-o") / "repvgg_a0_cpp_deploy.pt").write_text("deployed")
""",
    "main_predict.py": "print('top-1')",
    "predict_repvgg.py": """
save = value("--save")
(save / "results").mkdir(parents=True, exist_ok=True)
if not (save / "val.json").exists():
    frames = [value("--input").parent / line.rpartition(" ")[0] for line in value("--input").open(encoding="utf-8")]
    (save / "val.npy").write_bytes(b"".join(frame.read_bytes() for frame in frames))
    (save / "val.json").write_text("{}")
""",
}
ARGUMENTS = """
import sys
from pathlib import Path


def value(option):
    return Path(sys.argv[sys.argv.index(option) + 1])

"""


@pytest.fixture
def checkout(tmp_path) -> Path:
    """A copy of the main job whose training, conversion and prediction take no time."""
    folder = tmp_path / "checkout"
    for name in ("src", "tool", "scripts", "config"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
    for name in ("run_main_train_repvgg.sh", "requirements.txt", "pyproject.toml"):
        shutil.copy(ROOT / name, folder)
    for name, text in STAND_INS.items():
        (folder / "src" / name).write_text(ARGUMENTS + text)
    return folder


def main_job(checkout: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    kept = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    return subprocess.run(
        ["bash", checkout / "run_main_train_repvgg.sh"],
        env=kept | {"PATH": path, "dataset": str(checkout.parent / "games")} | variables,
        capture_output=True,
        text=True,
    )


def done(job: subprocess.CompletedProcess[str]) -> list[str]:
    return [stage for stage in STAGES if f"-- {stage} took" in job.stdout]


def pixels(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.rglob("*.jpg")}


def replace_frames(games: Path) -> None:
    """Other frames under the same names, each a new file as `cp --remove-destination` or an archive makes it."""
    for number, path in enumerate(sorted(games.rglob("*.jpg"))):
        path.unlink()
        draw_frame(number % 3, 1000 + number).save(path, quality=90)


@pytest.mark.slow
def test_the_main_job_does_everything_again_when_frames_were_replaced_under_their_names(checkout):
    games = make_class_folders(checkout.parent / "games", names=("one", "two"))
    first = main_job(checkout)
    assert first.returncode == 0, first.stderr
    assert done(first) == STAGES
    assert main_job(checkout).stdout.count("already finished") == len(STAGES)

    replace_frames(games)
    other = main_job(checkout)
    assert done(other) == ["split", "lists", "check"], other.stdout
    assert other.returncode == 2
    error = "error: sv_train: this training used other frames than those that are now in"
    assert other.stderr.strip().splitlines()[-1].startswith(error), other.stderr
    assert "set output_path_train to another folder, or remove sv_train" in other.stderr
    assert pixels(checkout / "datasets2" / "val" / "one").items() <= pixels(games / "one").items()
    assert main_job(checkout).returncode == 2  # it stays refused

    anew = main_job(checkout, output_path_train="sv_train2")
    assert anew.returncode == 0, anew.stderr
    assert done(anew) == STAGES
    # The stand-in's weights are the same for any frames, as those of a training are when only validation changes.
    frames = [line.rpartition(" ")[0] for line in (checkout / "datasets2" / "val.txt").open(encoding="utf-8")]
    seen = b"".join((checkout / "datasets2" / frame).read_bytes() for frame in frames)
    assert (checkout / "save_npy_file" / "val.npy").read_bytes() == seen
    assert main_job(checkout, output_path_train="sv_train2").stdout.count("already finished") == len(STAGES)


@pytest.mark.slow
def test_the_main_job_trains_on_other_frames_where_no_training_has_been_kept(checkout):
    games = make_class_folders(checkout.parent / "games", names=("one", "two"))
    train = checkout / "src" / "main_train.py"
    whole = train.read_text()
    train.write_text("raise SystemExit(2)")  # ends before its first checkpoint
    assert main_job(checkout).returncode == 2
    replace_frames(games)
    train.write_text(whole)
    assert done(main_job(checkout)) == STAGES


def test_a_conversion_makes_all_installed_formats_unless_told_otherwise(tmp_path, run, trained, monkeypatch):
    # Two of them are enough to see it, and the others take their time.
    monkeypatch.setattr("game_classifier.deploy.forms.installed_formats", lambda: ["pt", "onnx"])

    def suffixes(*arguments: object) -> list[str]:
        converted = run("src/main_convert.py", "-w", trained.best, *arguments)
        assert converted.status == 0, converted.err
        return sorted(path.suffix for path in arguments[1].iterdir())

    assert suffixes("-o", tmp_path / "all") == [".json", ".onnx", ".pt"]
    assert suffixes("-o", tmp_path / "pt", "--formats", "pt") == [".json", ".pt"]


@pytest.fixture
def complain(tmp_path, run, monkeypatch):
    """Run a script of scripts/ beside a few files that are none, and return the only line that it says."""
    monkeypatch.chdir(tmp_path)
    for name in ("text.pth", "odd.pt", "a_cpp_deploy.pt", "b_cpp_deploy.pt", "b_openvino.xml", "b_openvino_int8.xml"):
        Path(name).write_text("hello")
    Path("empty.txt").touch()
    Path("bare").mkdir()
    Path("pictures").mkdir()
    Path("pictures/text.jpg").write_text("hello")

    def run_script(script: str, *arguments: object) -> str:
        outcome = run(f"scripts/{script}", *arguments)
        assert len(outcome.err.splitlines()) == 1, outcome.err
        return outcome.error

    return run_script


def test_bench_check_names_what_is_wrong(complain):
    assert "none: no such folder; give a folder with .jpg files" in complain("bench_check.py", "none")
    assert "empty.txt: no such folder" in complain("bench_check.py", "empty.txt")
    assert "bare: holds no .jpg files; give" in complain("bench_check.py", "bare")
    assert "pictures/text.jpg: cannot be decoded as JPEG" in complain("bench_check.py", "pictures")
    for option in ("--files", "--threads", "--lines"):
        assert f"argument {option}: '0' is not a whole number" in complain("bench_check.py", "pictures", option, 0)


def test_bench_predict_names_the_model_file_that_is_wrong(complain):
    def bench(weights: str, *arguments: object) -> str:
        return complain("bench_predict.py", "-w", weights, "--input", "empty.txt", *arguments)

    assert "none_cpp_deploy.pt: no such file; src/main_convert.py writes" in bench("none_cpp_deploy.pt")
    assert "odd.pt: not named NETWORK_cpp_deploy.pt; give" in bench("odd.pt")
    assert "bare: not named" in bench("bare")
    missing = bench("a_cpp_deploy.pt")
    assert "a_openvino.xml: no such file; src/main_convert.py writes it with --formats all" in missing
    assert "b_openvino_int8.bin: no such file" in bench("b_cpp_deploy.pt", "--lines", 1)
    assert "timm has no network 'b'" in bench("b_cpp_deploy.pt")
    for option in ("--rounds", "--batch-size", "--lines"):
        assert f"argument {option}: '0' is not a whole number" in bench("b_cpp_deploy.pt", option, 0)
    nowhere = bench("b_cpp_deploy.pt", "--json", "none/figures.json")
    assert "none: no such folder; choose an existing folder for --json" in nowhere


def test_bench_predict_names_the_list_that_is_wrong(complain, run, trained, monkeypatch):
    # A checkpoint stands in for the files of a conversion, which take half a minute.
    runner = load_runner(trained.best, "cpu")
    monkeypatch.setattr("game_classifier.runtime.runner.load_runner", lambda *_: runner)
    for end in ("_cpp_deploy.pt", "_openvino.xml", "_openvino_int8.xml"):
        Path(f"repvgg_a0{end}").touch()

    def bench(source: str, *arguments: object) -> str:
        return complain("bench_predict.py", "-w", "repvgg_a0_cpp_deploy.pt", "--input", source, *arguments)

    assert "none.txt: no such file" in bench("none.txt")
    assert "bare: is a folder, not a list" in bench("bare")
    assert "empty.txt: the list is empty" in bench("empty.txt")
    Path("lost.txt").write_text("lost.jpg 0\n")
    assert "lost.txt: lost.jpg cannot be read (missing); remove it from the list" in bench("lost.txt")
    Path("text.txt").write_text("pictures/text.jpg 0\n")
    assert "text.txt: pictures/text.jpg cannot be read (not_an_image)" in bench("text.txt")
    long_run = ("-w", "repvgg_a0_cpp_deploy.pt", "--input", "text.txt", "--lines", 7)
    assert "text.txt: none of its frames could be read" in run("scripts/bench_predict.py", *long_run).error


def test_bench_train_names_what_is_wrong(complain, tmp_path):
    assert "none: no such folder; make a data set" in complain("bench_train.py", "none")
    data = make_dataset(tmp_path / "data", 2, 2)
    assert "--size 8 --batch-size 64: image_size" in complain("bench_train.py", data, "--size", 8)
    assert "--size 128 --batch-size 1: batch_size" in complain("bench_train.py", data, "--batch-size", 1)
    assert "argument --steps: '0' is not a whole number" in complain("bench_train.py", data, "--steps", 0)
    assert "--to 95.0: give a share above 0 and up to 1, such as 0.95" in complain("bench_train.py", data, "--to", 95)
    assert "--limit 0.0: give a number above 0" in complain("bench_train.py", data, "--limit", 0)
    for path in (data / "train").rglob("*.jpg"):
        path.write_text("hello")
    assert "train.txt: none of its frames could be read" in complain("bench_train.py", data, "--size", 32)
    (data / "train").rename(data / "frames")
    lines = (data / "train.txt").read_text(encoding="utf-8").replace("train/", "frames/")
    (data / "train.txt").write_text(lines, encoding="utf-8")
    assert f"{data / 'train'}: no such folder; timm reads class folders" in complain("bench_train.py", data)
    (data / "train" / "purple").mkdir(parents=True)
    assert "train/purple: not a class of" in complain("bench_train.py", data)


def test_the_comparisons_name_what_is_wrong(complain, trained):
    assert "network 'nonet' is not known" in complain("compare_forms.py", "nonet")
    assert "--size 1: image_size" in complain("compare_forms.py", "repvgg_a0", "--size", 1)
    assert "empty.txt: cannot be written" in complain("compare_forms.py", "-o", "empty.txt")

    def compare(weights: object, source: str) -> str:
        return complain("compare_networks.py", "-w", weights, "-i", source)

    assert "none.pth: no such checkpoint" in compare("none.pth", "empty.txt")
    assert "text.pth: not a checkpoint" in compare("text.pth", "empty.txt")
    # What is wrong with the list shows before anything is converted for it.
    assert "none.txt: no such file" in compare(trained.best, "none.txt")
    assert "bare/val.txt: no such file" in compare(trained.best, "bare")
    assert "empty.txt: the list is empty" in compare(trained.best, "empty.txt")
    Path("lost.txt").write_text("lost.jpg 0\nlost2.jpg 1\n")
    lost = compare(trained.best, "lost.txt")
    assert "lost.txt: none of its 2 frames exists, for example lost.jpg; give the folder" in lost
    assert not list(Path("comparison").rglob("*"))


def test_the_environment_check_names_what_is_wrong(checkout):
    def complaint(*arguments: str) -> str:
        script = checkout / "scripts" / "check_environment.py"
        done = subprocess.run([sys.executable, script, *arguments], capture_output=True, text=True)
        assert done.returncode == 2
        assert len(done.stderr.splitlines()) == 1, done.stderr
        return done.stderr

    assert complaint("tests").startswith("error: tests: no such extra; pyproject.toml has tensorboard, ray, int8, test")
    (checkout / "requirements.txt").write_text("torch => 2\n")
    assert complaint().startswith("error: requirements.txt: 'torch => 2' is not a requirement")
    (checkout / "requirements.txt").unlink()
    assert complaint().startswith(f"error: {checkout / 'requirements.txt'}: No such file or directory")

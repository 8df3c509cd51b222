from conftest import make_class_folders

from game_classifier.models.checkpoint import load_checkpoint

SETTINGS = (
    "network=repvgg_tiny",
    "image_size=32",
    "train_sizes=[1.0]",
    "epochs=1",
    "batch_size=4",
    "min_steps=2",
    "lr=0.005",
)


def train(run, *arguments):
    return run("src/main_train.py", *arguments, *(part for each in SETTINGS for part in ("--set", each)))


def test_folds_are_trained_apart_and_summed_up(tmp_path, run):
    data, out = tmp_path / "data", tmp_path / "out"
    make_class_folders(tmp_path / "games", frames=6)
    group = r"(?P<group>.*)_\d+\.jpg"
    assert (
        run(
            "tool/split_data.py", "--source", tmp_path / "games", "--out", data, "--folds", 2, "--group-by", group
        ).status
        == 0
    )
    assert run("tool/get_annotation.py", "--dataset", data).status == 0
    assert (
        train(run, "-i", data, "-o", out, "--fold", "3").error
        == f"--fold 3: '3' is not a fold of {data}; give all, or some of 1, 2"
    )
    first = train(run, "-i", data, "-o", out, "--fold", "1")
    assert first.status == 0, first.err
    assert "Best epochs of 1 folds" in first.out
    assert "deviation" not in first.out
    both = train(run, "-i", data, "-o", out, "--fold", "all", "--resume")
    assert both.status == 0, both.err
    scores = [load_checkpoint(out / f"fold{k}/model/repvgg_tiny_best.pth").metrics["top1"] for k in (1, 2)]
    rows = {
        line.split("|")[1].strip(): line.split("|")[2].strip() for line in both.out.splitlines() if line.count("|") == 7
    }
    assert rows["1"] == f"{100 * scores[0]:.2f}"
    assert rows["2"] == f"{100 * scores[1]:.2f}"
    assert rows["mean"] == f"{50 * sum(scores):.2f}"
    assert rows["deviation"] == f"{100 * abs(scores[0] - scores[1]) / 2**0.5:.2f}"


def test_a_data_set_without_folds_says_how_to_make_them(trained, tmp_path, run):
    error = train(run, "-i", trained.dataset, "-o", tmp_path, "--fold", "1").error
    assert "lists: no folds; tool/split_data.py --folds K" in error

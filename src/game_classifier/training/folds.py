"""K-fold training: one training for each pair of lists, and a table over them."""

from pathlib import Path

from game_classifier.errors import InputError
from game_classifier.models.checkpoint import load_checkpoint
from game_classifier.pages.tables import folds_table
from game_classifier.tasks.choose import task_of


def find_folds(dataset: Path, wanted: str) -> dict[int, Path]:
    """The data sets of the folds of `dataset`: all of them, or those named as in "2" or "1,3".

    Raises InputError if there are no folds, or if one of those named does not exist.
    """
    found = {int(path.name.removeprefix("fold")): path for path in (dataset / "lists").glob("fold[0-9]*")}
    if not found:
        raise InputError(
            f"{dataset / 'lists'}: no folds; tool/split_data.py --folds K and tool/get_annotation.py make them"
        )
    names = [str(number) for number in sorted(found)] if wanted == "all" else wanted.split(",")
    for name in names:
        if not name.isdecimal() or int(name) not in found:
            raise InputError(
                f"--fold {wanted}: {name!r} is not a fold of {dataset}; give all, or some of"
                f" {', '.join(map(str, sorted(found)))}"
            )
    return {int(name): found[int(name)] for name in names}


def fold_output(out: Path, number: int) -> Path:
    """The output folder of a fold's training."""
    return out / f"fold{number}"


def summarize_folds(out: Path, network: str) -> str:
    """A table of the best epoch of each fold that was trained into `out`, with their mean and standard deviation."""
    folds = {}
    for path in out.glob(f"fold[0-9]*/model/{network}_best.pth"):
        folds[int(path.parts[-3].removeprefix("fold"))] = load_checkpoint(path).metrics
    return folds_table(folds, task_of(network).columns)

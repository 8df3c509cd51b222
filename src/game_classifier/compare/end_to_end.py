"""From files to classes, in turns: one frame at a time, as before this project, and batch prediction."""

import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from game_classifier.compare.contestants import Contestant
from game_classifier.compare.turns import Amount, Run, Times, in_turns
from game_classifier.lists.filelist import FileList
from game_classifier.predict.predict_list import Predictor
from game_classifier.runtime.runner import Runner

ClassifyFile = Callable[[str], int]  # path of an image -> class index


@dataclass(frozen=True)
class Way:
    """One network, from files to classes."""

    network: str
    way: str  # what reads, decodes and runs
    times: Times


def time_ways(
    contestants: Sequence[Contestant],
    frames: FileList,
    one_by_one: Mapping[str, ClassifyFile],
    one_by_one_way: str,
    amount: Amount,
) -> list[Way]:
    """Predict `amount.frames` rows in each way, repeating a shorter list; loading is not timed.

    `one_by_one` has a function for each network that classifies one file. Batch prediction runs with the defaults of
    src/predict_repvgg.py, npy files included.
    """
    rows = np.arange(amount.frames) % len(frames)
    predictors = {each.name: Predictor(each.default(), amount.threads, amount.batch_size) for each in contestants}
    runs = {}
    with tempfile.TemporaryDirectory() as scratch:
        for name, predictor in predictors.items():
            classify = one_by_one[name]
            runs[name, one_by_one_way] = Run(
                len(rows), lambda call, classify=classify: classify(frames.paths[rows[call]]), len(rows)
            )
            parts = [_rows_of(frames, part) for part in np.array_split(rows, amount.rounds)]
            runs[name, f"predict_repvgg.py: {_words(predictor.runner)}"] = Run(
                amount.rounds, _predict_part(predictor, parts, Path(scratch)), len(rows)
            )
        times = in_turns(runs, amount.rounds, amount.threads)
    return [Way(name, way, each) for (name, way), each in times.items()]


def _rows_of(frames: FileList, rows: np.ndarray) -> FileList:
    return replace(frames, paths=[frames.paths[row] for row in rows], labels=frames.labels[rows])


def _predict_part(predictor: Predictor, parts: Sequence[FileList], scratch: Path) -> Callable[[int], None]:
    def call(number: int) -> None:
        save = Path(tempfile.mkdtemp(dir=scratch))
        predictor.predict(parts[number], save)
        shutil.rmtree(save)

    return call


def _words(classifier: Runner) -> str:
    return f"{classifier.runtime} {classifier.precision}"

"""Batch prediction on a Ray cluster: the files are the same as of a local run."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from game_classifier.errors import InputError
from game_classifier.predict.open_lists import read_list
from game_classifier.predict.predict_list import Predictor
from game_classifier.ray_pool import map_on_ray
from game_classifier.runtime.runner import load_runner
from game_classifier.storage import make_folder, remove_abandoned


@dataclass(frozen=True)
class Job:
    """The settings of every worker."""

    weights: Path
    precision: str
    threads: int  # of each worker
    batch_size: int
    root: Path | None
    save: Path
    least_score: float | None = None  # as for Predictor


class _Worker:
    """One process on some node."""

    def __init__(self, job: Job) -> None:
        remove_abandoned(job.save)  # by a worker on this machine that was killed
        self.job = job
        self.runner = load_runner(job.weights, "auto", job.precision)
        self.predictor = Predictor(self.runner, job.threads, job.batch_size, job.least_score)

    def predict(self, source: Path) -> bool | str:
        """True if the list was predicted, False if it was already finished; a text if the input is wrong."""
        try:
            return self.predictor.predict(read_list(source, self.runner, self.job.root), self.job.save)
        except InputError as error:
            return str(error)


def predict_with_ray(sources: Sequence[Path], job: Job) -> int:
    """Predict each list into `job.save` by as many workers as the cluster has processors for.

    Returns how many were already finished and are kept. A list whose worker was killed goes to another one, and
    writing it twice does no harm. Raises InputError if Ray is not installed, and for a wrong list.
    """
    make_folder(job.save)
    outcomes = map_on_ray(_Worker, job, sources, job.threads)
    remove_abandoned(job.save)
    wrong = sorted(outcome for outcome in outcomes if isinstance(outcome, str))
    if wrong:
        raise InputError(wrong[0])
    return outcomes.count(False)

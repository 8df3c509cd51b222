"""Choosing the task of a network."""

from game_classifier.errors import InputError
from game_classifier.models.zoo import task_name
from game_classifier.tasks.classification.task import Classification
from game_classifier.tasks.detection.task import Detection
from game_classifier.tasks.task import Task

TASKS: dict[str, Task] = {task.name: task for task in (Classification(), Detection())}


def task_of(network: str) -> Task:
    """The task of a network of the zoo; any other network of timm classifies."""
    return TASKS[task_name(network)]


# Parts of a task that not every task has, and what cannot be done without them.
OPTIONAL = {"comparison": "be converted"}


def task_with(network: str, part: str) -> Task:
    """`task_of` a network whose task must have a part of OPTIONAL; InputError if it has not."""
    task = task_of(network)
    if getattr(task, part) is None:
        raise InputError(
            f"{network}: a network for {task.name} cannot {OPTIONAL[part]} yet; src/main_predict.py scores its"
            " checkpoint on a list"
        )
    return task

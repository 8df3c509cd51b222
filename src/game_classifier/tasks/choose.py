"""Choosing the task of a network."""

from game_classifier.models.zoo import task_name
from game_classifier.tasks.classification.task import Classification
from game_classifier.tasks.detection.task import Detection
from game_classifier.tasks.task import Task

TASKS: dict[str, Task] = {task.name: task for task in (Classification(), Detection())}


def task_of(network: str) -> Task:
    """The task of a network of the zoo; any other network of timm classifies."""
    return TASKS[task_name(network)]

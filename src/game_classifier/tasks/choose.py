"""Choosing the task of a network."""

from game_classifier.errors import InputError
from game_classifier.models.zoo import task_name
from game_classifier.tasks.classification.task import Classification
from game_classifier.tasks.task import Task

TASKS: dict[str, Task] = {task.name: task for task in (Classification(),)}


def task_of(network: str) -> Task:
    """The task of a network of the zoo; any other network of timm classifies."""
    name = task_name(network)
    if name not in TASKS:
        raise InputError(f"{network}: its task, {name}, is not built yet; give a network that classifies")
    return TASKS[name]

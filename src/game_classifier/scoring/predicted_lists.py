"""The predicted lists of a folder, and the frames of them that could not be read."""

from collections import Counter
from dataclasses import dataclass
from typing import Any

UNREAD_KEPT = 100


@dataclass(frozen=True)
class UnreadFile:
    """A frame that could not be read."""

    source: str  # the list
    line: int
    path: str
    reason: str

    def __str__(self) -> str:
        return f"{self.source}:{self.line}: {self.path}: {self.reason}"


class PredictedLists:
    """The base of all results; manifests are added one by one."""

    def __init__(self, class_names: tuple[str, ...]) -> None:
        self.class_names = class_names
        self.rows = 0
        self.not_read: Counter[str] = Counter()  # reason -> rows
        self.first_not_read: list[UnreadFile] = []
        self.manifests: list[dict[str, Any]] = []  # of each list; RANKED counts them

    def add_list(self, manifest: dict[str, Any]) -> None:
        """Begin the next list; its rows follow."""
        self.manifests.append(manifest)
        self.not_read.update(manifest["not_read"])
        missing = UNREAD_KEPT - len(self.first_not_read)
        self.first_not_read += [
            UnreadFile(list_name(manifest), each["line"], each["path"], each["reason"])
            for each in manifest["first_not_read"][:missing]
        ]


def list_name(manifest: dict[str, Any]) -> str:
    """The list that a manifest names; "?" if an old manifest names none."""
    return manifest.get("list") or "?"

"""A program that runs in another environment, such as one with ultralytics, and answers in lines."""

import contextlib
import json
import os
import subprocess
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from game_classifier.errors import InputError
from game_classifier.storage import write_json

MARK = "answer: "  # begins the lines that are answers; ultralytics prints lines of its own


class OtherProgram:
    """A script, run by the Python of an environment that has ultralytics; it waits while nothing is asked."""

    def __init__(self, python: Path, script: Path, settings: dict[str, Any], folder: Path) -> None:
        """Start it with `settings` as a JSON file in `folder`, which is also its current folder.

        Raises InputError if it cannot be run.
        """
        path = folder / "settings.json"
        write_json(path, {**settings, "mark": MARK})
        # It must neither install packages nor look for news.
        environment = {
            **os.environ,
            "YOLO_CONFIG_DIR": str(folder),
            "YOLO_AUTOINSTALL": "false",
            "YOLO_OFFLINE": "true",
        }
        environment.pop("PYTHONPATH", None)
        self.log = (folder / "log").open("w+", encoding="utf-8")
        try:
            self.process = subprocess.Popen(
                [python, script, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.log, text=True,
                env=environment, cwd=folder,
            )  # fmt: skip
        except OSError as error:
            raise InputError(f"{python}: cannot be run ({error.strerror}); give the Python of an environment") from None

    def ask(self, line: str) -> dict[str, Any]:
        """Write it a line and return its answer."""
        with contextlib.suppress(BrokenPipeError):  # it has ended; `answer` says why
            self.process.stdin.write(f"{line}\n")
            self.process.stdin.flush()
        return self.answer()

    def answer(self) -> dict[str, Any]:
        """Wait for its next answer; InputError with its last words if it ends first."""
        for line in self.process.stdout:
            if line.startswith(MARK):
                return json.loads(line.removeprefix(MARK))
        self.process.wait()
        self.log.seek(0)
        last = ([line.strip() for line in self.log if line.strip()] or ["no message"])[-1]
        raise InputError(
            f"{self.process.args[0]}: ultralytics ended ({last}); is it installed there, and what it needs?"
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.process.kill()
        self.process.wait()
        self.log.close()

"""A Python environment for each source of background frames, because the sources' requirements clash."""

import subprocess
import sys
import venv
from pathlib import Path

from game_classifier.demo.background_sources import Source
from game_classifier.storage import make_folder, write_text

INSTALLED = "installed.txt"  # the requirements of an environment, written when all are installed
ALWAYS = ("numpy", "pillow>=11")  # what play_episodes.py imports


class SetupError(Exception):
    """An environment could not be made; the message is one line."""


def python_of(source: Source, folder: Path) -> Path:
    """The Python that runs `source`: this one if the source needs no packages, else that of the environment `folder`.

    Makes the environment at the first call, and again when the requirements have changed. Raises SetupError.
    """
    if not source.requirements:
        return Path(sys.executable)
    folder = folder.absolute()  # the players run in folders of their own
    python = folder / "bin" / "python"
    requirements = [*ALWAYS, *source.requirements]
    wanted = "".join(f"{requirement}\n" for requirement in requirements)
    installed = folder / INSTALLED
    if installed.exists() and installed.read_text(encoding="utf-8") == wanted:
        return python
    make_folder(folder.parent)
    venv.create(folder, clear=True, symlinks=True)
    # This Python's pip installs into the other one, which saves the seconds of installing pip there.
    command = [sys.executable, "-m", "pip", "--python", python, "--disable-pip-version-check", "install", "--quiet"]
    answer = subprocess.run([*command, *requirements], capture_output=True, text=True, errors="replace", check=False)
    if answer.returncode:
        raise SetupError(f"pip could not install {', '.join(source.requirements)}: {last_line(answer.stderr)}")
    write_text(installed, wanted)
    return python


def last_line(text: str) -> str:
    """The last line of a program's messages that is not empty; for pip, the last line that names an error."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith("ERROR:")]
    return (errors or lines or ["no message"])[-1]

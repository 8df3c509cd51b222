"""The parts that all commands share: the parser, the options for running a network, the exit status."""

import argparse
import errno
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

from game_classifier.errors import InputError, Interrupted


class CommandParser(argparse.ArgumentParser):
    """A parser that shows the command's docstring as help, and reports wrong use in one line."""

    def __init__(self, doc: str | None) -> None:
        super().__init__(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)

    def error(self, message: str) -> NoReturn:
        """End with status 2."""
        self.exit(2, f"error: {message}; see {Path(self.prog).name} --help\n")

    def add_inference_options(self) -> None:
        """Add the options of every command that runs a trained network over a list."""
        add = self.add_argument
        add("--root", type=Path, help="folder of the relative paths in a list (default: the list's own folder)")
        add("--batch-size", type=positive, default=32, help="frames in a batch (default: %(default)s)")
        add("--threads", type=positive, help="number of threads (default: one for each processor)")
        add("--device", default="auto", help="auto, cpu or cuda (default: %(default)s)")
        add(
            "--precision",
            choices=("auto", "fp32", "bf16"),
            default="auto",
            help="auto: the file's own precision; OpenVINO files run in bf16 if the CPU multiplies in bf16 and the"
            " conversion passed it (default: auto)",
        )


def positive(text: str) -> int:
    """An argument type: a whole number of at least 1."""
    try:
        value = int(text)
    except ValueError:
        value = 0
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of at least 1")
    return value


def run_command(main: Callable[[], int | None]) -> NoReturn:
    """Run a command's `main` and end the process with its status.

    Bad input and file-system errors end with one line on standard error and status 2, Ctrl-C with 130;
    anything else is a bug in this project and keeps its traceback.
    """
    for stream in (sys.stdout, sys.stderr):  # a name that the terminal cannot show must not end a run
        stream.reconfigure(errors="backslashreplace")
    try:
        status = main()
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        status = 2
    except BrokenPipeError:  # `... | head` closed our output: nobody is left to read a message
        sys.stderr.close()
        status = 141
    except OSError as error:
        if error.filename is None and error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        where = f"{error.filename}: " if error.filename else ""
        print(f"error: {where}{error.strerror or error}", file=sys.stderr)
        status = 2
    except Interrupted as interruption:
        print(interruption, file=sys.stderr)
        status = 130
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        status = 130
    sys.exit(status)

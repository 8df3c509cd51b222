"""What every command shares: its parser, its options for running a network, its end."""

import argparse
import errno
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

from game_classifier.errors import InputError, Interrupted


class CommandParser(argparse.ArgumentParser):
    """A parser that shows the command's own docstring as help, and says what is wrong in one line."""

    def __init__(self, doc: str | None) -> None:
        super().__init__(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)

    def error(self, message: str) -> NoReturn:
        """End with status 2."""
        self.exit(2, f"error: {message}; see {Path(self.prog).name} --help\n")

    def add_inference_options(self) -> None:
        """Add what every command takes that runs a trained network over a list."""
        add = self.add_argument
        add(
            "--root",
            type=Path,
            help="folder that relative paths in a list stand against (default: the list's)",
        )
        add("--batch-size", type=positive, default=32, help="frames at a time (default: %(default)s)")
        add("--threads", type=positive, help="threads (default: the processors)")
        add("--device", default="auto", help="auto, cpu or cuda (default: %(default)s)")
        add(
            "--precision",
            choices=("auto", "fp32", "bf16"),
            default="auto",
            help="auto: that of the file, and of an OpenVINO file bf16 where its conversion passed it (default: auto)",
        )


def positive(text: str) -> int:
    """An argument type: a whole number of at least 1."""
    value = int(text)
    if value < 1:
        raise ValueError
    return value


positive.__name__ = "number, it must be a whole one of at least 1,"  # argparse: "invalid NAME value: 'x'"


def run_command(main: Callable[[], int | None]) -> NoReturn:
    """Run a command's `main` and end the process with its status.

    Bad input and file-system errors end with one line on standard error and status 2, Ctrl-C with 130;
    anything else is a defect of ours and keeps its traceback.
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

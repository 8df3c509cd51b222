"""Progress bars that suit both a terminal and a log file."""

import os
import sys
from collections.abc import Iterable
from typing import Any

from tqdm import tqdm

SECONDS_BETWEEN_LINES_IN_A_LOG = 15


def progress(iterable: Iterable[Any] | None = None, **options: Any) -> tqdm:
    """A tqdm bar on standard error; where that is no terminal, a line now and then instead of a stream.

    Of several processes that torchrun started only the first shows one.
    """
    interval = 0.1 if sys.stderr.isatty() else SECONDS_BETWEEN_LINES_IN_A_LOG
    quiet = os.environ.get("RANK", "0") != "0"
    return tqdm(iterable, dynamic_ncols=True, mininterval=interval, maxinterval=interval, disable=quiet, **options)

"""Records several games or sources at the same time."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed


def record_each(names: Iterable[str], record: Callable[[str], str], jobs: int) -> Iterator[tuple[str, str]]:
    """Call `record`, which returns why it failed or "", with each name; yield (name, reason) as each ends."""
    with ThreadPoolExecutor(jobs) as pool:
        pending = {pool.submit(record, name): name for name in names}
        try:
            for future in as_completed(pending):
                yield pending[future], future.result()
        finally:  # on Ctrl-C, do not start those that still wait
            pool.shutdown(wait=False, cancel_futures=True)

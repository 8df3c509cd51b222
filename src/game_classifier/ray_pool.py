"""Work on a Ray cluster: Ray distributes paths, not pixels. Ray is an optional extra.

Every node needs this package, the weights, the input and the output folder under the same paths, as on a shared file
system.
"""

from collections.abc import Callable, Sequence
from typing import Any

from game_classifier.errors import InputError


def map_on_ray(make_worker: Callable[..., Any], job: Any, sources: Sequence[Any], threads: int) -> list[Any]:
    """`make_worker(job).predict(source)` of each source, in any order, by as many workers as there are processors for.

    Each worker is a process that takes `threads` processors. The source of a worker that was killed goes to another
    one, so doing it twice must do no harm. Connects to RAY_ADDRESS, or else starts Ray on this machine. Raises
    InputError if Ray is not installed.
    """
    try:
        import ray
        from ray.util import ActorPool
    except ImportError:
        raise InputError("--engine ray: Ray is not installed; pip install -e '.[ray]', or leave --engine out") from None
    ray.init(ignore_reinit_error=True, log_to_driver=False, configure_logging=False)
    try:
        count = min(len(sources), max(1, int(ray.cluster_resources().get("CPU", 1)) // threads))
        # Ray restarts a killed worker and gives it its source again, as often as needed.
        worker = ray.remote(num_cpus=threads, max_restarts=-1, max_task_retries=-1)(make_worker)
        pool = ActorPool([worker.remote(job) for _ in range(count)])
        return list(pool.map_unordered(lambda actor, source: actor.predict.remote(source), sources))
    finally:
        ray.shutdown()

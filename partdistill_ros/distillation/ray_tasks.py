# SPDX-License-Identifier: Apache-2.0
"""Tasks on the workers of a Ray cluster, or of one that lives on this machine for as long as the work takes."""

from __future__ import annotations

import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar

from partdistill_ros.errors import MissingDependencyError, PartDistillError

LOCAL = "local"
RETRIES = 3  # of a task whose worker died under it
AHEAD = 4  # tasks a worker that wait: enough to keep it busy, few enough to hold in memory

Task = TypeVar("Task")
Result = TypeVar("Result")


def check_address(address: str | None) -> None:
    """Refuse what is no address: `local`, `local:N` (workers), or where a cluster answers. Raises PartDistillError."""
    kind, _, count = (address or "").partition(":")
    if kind == LOCAL and count and (not count.isdecimal() or int(count) < 1):
        raise PartDistillError(f"--ray {address}: write local for a worker a core, or for example local:2")


def in_order(
    make: Callable[[Task], Result], tasks: Iterable[Task], address: str, device: str = "cpu"
) -> Iterator[tuple[Task, Result | PartDistillError]]:
    """Each task with what `make` returns for it on a worker, in the order of `tasks`, few of which are read ahead.

    make: a function of a module, which workers import.  device: with `cuda` a task gets a GPU for itself, else a core.
    A task whose worker dies is tried again; where it dies each time the result is a PartDistillError.
    Raises MissingDependencyError without Ray, PartDistillError where no cluster answers or none of its machines has
    what a task needs, and what `make` raises.
    """
    try:
        import ray
    except ImportError as error:
        raise MissingDependencyError("ray", "ray", "--ray") from error
    with _connected(ray, address):
        needs = {"num_cpus": 1, "num_gpus": int(device == "cuda")}
        _check_resources(ray.nodes(), needs, address)
        remote = ray.remote(**needs, max_retries=RETRIES)(make)
        most = AHEAD * max(1, int(ray.cluster_resources().get("CPU", 1)))
        waiting: deque[tuple[Task, Any]] = deque()
        for task in tasks:
            waiting.append((task, remote.remote(task)))
            if len(waiting) >= most:
                yield _result(ray, *waiting.popleft())
        while waiting:
            yield _result(ray, *waiting.popleft())


def _check_resources(nodes: Iterable[Mapping[str, Any]], needs: Mapping[str, int], address: str) -> None:
    """Raises PartDistillError where no machine has what a task needs: Ray would wait for one, without a word."""
    cores, gpus = needs["num_cpus"], needs["num_gpus"]
    have = [one.get("Resources", {}) for one in nodes if one.get("Alive")]
    if not any(one.get("CPU", 0) >= cores and one.get("GPU", 0) >= gpus for one in have):
        remedy = "use --device cpu, or start Ray with --num-gpus on one" if gpus else "start Ray with --num-cpus"
        raise PartDistillError(
            f"--ray {address}: no machine of the cluster has {'a GPU and ' * gpus}a core for workers: {remedy}"
        )


def _result(ray: Any, task: Task, reference: Any) -> tuple[Task, Any]:
    try:
        return task, ray.get(reference)
    except ray.exceptions.RayTaskError as error:  # what `make` raised
        raise error.cause from None
    except ray.exceptions.RayError as error:
        reason = str(error).strip().partition("\n")[0]
        return task, PartDistillError(
            f"its worker died {RETRIES + 1} times ({reason}): give workers more memory, or leave --ray out to see why"
        )


@contextmanager
def _connected(ray: Any, address: str) -> Iterator[None]:
    """A connection, which ends with the block, and with it a cluster of this machine."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # what runs here is nobody's business
    kind, _, count = address.partition(":")
    own = {"num_cpus": int(count) if count else None, "include_dashboard": False}
    where = own if kind == LOCAL else {"address": address}
    main = threading.current_thread() is threading.main_thread()
    on_sigterm = signal.getsignal(signal.SIGTERM)
    try:
        ray.init(**where, log_to_driver=False, logging_level="ERROR")
    except Exception as error:  # Ray raises what its parts do
        reason = str(error).strip().partition("\n")[0]
        raise PartDistillError(
            f"--ray {address}: no cluster answers ({reason}): start one with `ray start --head`, or use --ray {LOCAL}"
        ) from error
    if main:
        signal.signal(signal.SIGTERM, on_sigterm)  # Ray puts its own in the place of ours
    try:
        yield
    finally:
        ray.shutdown()

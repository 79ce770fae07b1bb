# SPDX-License-Identifier: Apache-2.0
"""Work that takes long, awaited by a callback without holding up the others."""

from __future__ import annotations

import queue
import threading
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeVar, cast

if TYPE_CHECKING:
    from rclpy.executors import Executor

Result = TypeVar("Result")


class Background:
    """One thread that does one thing after the other, started with the first of them.

    The same thread each time, because glibc gives new threads memory of their own: 16 students loaded
    on 16 threads held 350 MB, on one thread 258.
    """

    def __init__(self) -> None:
        self._work: queue.Queue[Callable[[], None]] = queue.Queue()
        self._thread: threading.Thread | None = None

    @property
    def idle(self) -> bool:
        """Whether nothing is in work or waits."""
        return self._work.unfinished_tasks == 0

    def run(self, executor: Executor, work: Callable[[], Result]) -> Awaitable[Result]:
        """Runs `work`; `await` it in a coroutine callback for what it returns or raises.

        The callback must have a callback group of its own: a group that excludes others is held until
        the coroutine ends.
        """
        from rclpy.exceptions import InvalidHandle
        from rclpy.task import Future

        future: Any = Future(executor=executor)

        def step() -> None:
            try:
                future.set_result(work())
            except Exception as error:
                future.set_exception(error)
            # A future that is done does not wake an executor that waits for messages; a task does.
            with suppress(InvalidHandle):  # the executor has ended, and nobody waits any more
                executor.create_task(lambda: None)

        self._work.put(step)
        if self._thread is None:
            # A daemon, so that it cannot hold up the end of the process.
            self._thread = threading.Thread(target=self._run, name="background", daemon=True)
            self._thread.start()
        return cast(Awaitable[Result], future)

    def _run(self) -> None:
        while True:
            self._work.get()()
            self._work.task_done()

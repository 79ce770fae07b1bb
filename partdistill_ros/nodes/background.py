# SPDX-License-Identifier: Apache-2.0
"""Work on threads: what takes long is awaited by a callback, and of a stream always the newest item is done."""

from __future__ import annotations

import queue
import threading
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast

if TYPE_CHECKING:
    from rclpy.executors import Executor

Item = TypeVar("Item")
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


class LatestWorker(Generic[Item, Result]):
    """Runs `deliver(work(item))` on a thread of its own, one item at a time.

    An item that waits is replaced by a newer one and counted in `dropped`.  What `work` or `deliver`
    raises goes to `failed`, and the thread goes on.  Nothing is delivered after `stop` has returned,
    even where the work took longer than `stop` waited.
    """

    def __init__(
        self, work: Callable[[Item], Result], deliver: Callable[[Result], None], failed: Callable[[Exception], None]
    ) -> None:
        self._work = work
        self._deliver = deliver
        self._failed = failed
        self._condition = threading.Condition()
        self._delivering = threading.Lock()
        self._waiting: list[Item] = []
        self._stopping = False
        self.dropped = 0
        # A daemon, so that a step that takes long cannot hold up the end of the process.
        self._thread = threading.Thread(target=self._run, name="latest-worker", daemon=True)

    def start(self) -> None:
        """Starts the thread; a worker starts once."""
        self._thread.start()

    def offer(self, item: Item) -> None:
        """Hands over a newer item and returns at once."""
        with self._condition:
            self.dropped += len(self._waiting)
            self._waiting[:] = [item]
            self._condition.notify()

    def stop(self, timeout: float) -> bool:
        """Forgets what waits and ends the thread; False if its step still ran after `timeout` seconds."""
        with self._condition:
            self._stopping = True
            self._waiting.clear()
            self._condition.notify()
        if self._thread.is_alive():
            self._thread.join(timeout)
        with self._delivering:  # a delivery that has begun is seen through
            return not self._thread.is_alive()

    def _run(self) -> None:
        while True:
            with self._condition:
                self._condition.wait_for(lambda: self._waiting or self._stopping)
                if self._stopping:
                    return
                item = self._waiting.pop()
            try:
                result = self._work(item)
                with self._delivering:
                    if not self._stopping:
                        self._deliver(result)
            except Exception as error:
                self._failed(error)
            # The last cloud and its answer may take 100 MB: not until the next one comes.
            item = result = None  # type: ignore[assignment]

# SPDX-License-Identifier: Apache-2.0
"""Work on threads: what takes long is awaited by a callback, and of a stream always the newest item is done."""

from __future__ import annotations

import concurrent.futures
import threading
import weakref
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast

from partdistill_ros.errors import PartDistillError

if TYPE_CHECKING:
    from rclpy.executors import Executor

Item = TypeVar("Item")
Result = TypeVar("Result")

LOOK_SECONDS = 0.1
"""Between two looks at whether a wait is to end early."""


class TooSlow(PartDistillError):
    """The work did not end within its time; it is left to itself and its result to nobody."""


@dataclass(frozen=True)
class _Step:
    """Work that waits for its turn: what to do, where its result goes, and what to say after `limit` seconds of it."""

    work: Callable[[], Any]
    task: concurrent.futures.Future[Any]
    limit: float | None
    late: str


class Background:
    """One thread that does one thing after the other, started with the first of them.

    The same thread each time, because glibc gives new threads memory of their own: 16 students loaded
    on 16 threads held 350 MB, on one thread 258. Only a thread whose work does not end in time (a file
    on a dead network mount cannot be interrupted) is abandoned, and what waits behind it gets a new one.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._waiting: deque[_Step] = deque()
        self._thread: threading.Thread | None = None
        self._unfinished = 0

    @property
    def idle(self) -> bool:
        """Whether nothing is in work or waits, on abandoned threads neither."""
        return self._unfinished == 0

    def wait_idle(self, seconds: float) -> bool:
        """Waits at most so long until it is idle; whether it is."""
        with self._changed:
            return self._changed.wait_for(lambda: self.idle, seconds)

    def run(
        self, executor: Executor, work: Callable[[], Result], limit: float | None = None, late: str = ""
    ) -> Awaitable[Result]:
        """Runs `work`; `await` it in a coroutine callback for what it returns or raises, or TooSlow, with the
        words `late`, once it has been at work for `limit` seconds.

        The callback must have a callback group of its own: a group that excludes others is held until
        the coroutine ends.
        """
        from rclpy.task import Future

        awaited: Any = Future(executor=executor)

        def settle(done: concurrent.futures.Future[Result]) -> None:
            error = done.exception()
            if error is None:
                awaited.set_result(done.result())
            else:
                awaited.set_exception(error)
            wake(executor)

        self._submit(work, limit, late).add_done_callback(settle)
        return cast(Awaitable[Result], awaited)

    def wait_for(self, work: Callable[[], Result], limit: float, late: str, ended: Callable[[], bool]) -> Result:
        """Runs `work` and waits for what it returns or raises; TooSlow after `limit` seconds or once `ended()`."""
        task = self._submit(work, limit, late)
        while not concurrent.futures.wait([task], LOOK_SECONDS).done:
            if ended():
                raise TooSlow("interrupted")
        return task.result()

    def _submit(self, work: Callable[[], Result], limit: float | None, late: str) -> concurrent.futures.Future[Result]:
        task: concurrent.futures.Future[Result] = concurrent.futures.Future()
        with self._changed:
            self._unfinished += 1
            self._waiting.append(_Step(work, task, limit, late))
            if self._thread is None:
                self._start_thread()
            self._changed.notify_all()
        return task

    def _start_thread(self) -> None:
        # A daemon, so that it cannot hold up the end of the process.
        self._thread = threading.Thread(target=self._serve, name="background", daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        me = threading.current_thread()
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._thread is not me)
                if self._thread is not me:
                    return
                step = self._waiting.popleft()
            self._do(step, me)
            del step  # a student holds 12 MB: not until the next one is loaded

    def _do(self, step: _Step, me: threading.Thread) -> None:
        timer = None
        if step.limit is not None:
            # Weakly: timer and task would hold each other, and with them a student until the collector comes.
            timer = threading.Timer(step.limit, self._abandon, [me, weakref.ref(step.task), step.late])
            timer.daemon = True
            timer.start()
        try:
            result = step.work()
        except Exception as error:
            self._finish(timer)
            _settle(step.task, error=error)
        else:
            self._finish(timer)
            _settle(step.task, result)

    def _finish(self, timer: threading.Timer | None) -> None:
        if timer is not None:
            timer.cancel()
        with self._changed:
            self._unfinished -= 1
            self._changed.notify_all()

    def _abandon(
        self, thread: threading.Thread, submitted: weakref.ref[concurrent.futures.Future[Any]], late: str
    ) -> None:
        task = submitted()
        if task is None or task.done():
            return
        with self._changed:
            if self._thread is thread:
                self._start_thread()
        _settle(task, error=TooSlow(late))


class Turns:
    """Coroutines of one executor, one after the other in the order in which they came."""

    def __init__(self) -> None:
        self._last: Any = None

    async def take(self, executor: Executor, work: Callable[[], Awaitable[Result]]) -> Result:
        """What `work()` returns or raises, once those before have ended."""
        from rclpy.task import Future

        before: Any = self._last
        mine: Any = Future(executor=executor)
        self._last = mine
        try:
            if before is not None:
                await before
            return await work()
        finally:
            mine.set_result(None)
            wake(executor)


def wake(executor: Executor) -> None:
    """A future that is done does not wake an executor that waits for messages; a task does."""
    from rclpy.exceptions import InvalidHandle

    with suppress(InvalidHandle):  # it has ended, and nobody waits any more
        executor.create_task(lambda: None)


def _settle(task: concurrent.futures.Future[Any], result: object = None, error: Exception | None = None) -> None:
    """Once: what comes after a time limit, or a time limit after the result, is nobody's any more."""
    with suppress(concurrent.futures.InvalidStateError):
        if error is None:
            task.set_result(result)
        else:
            task.set_exception(error)


class LatestWorker(Generic[Item, Result]):
    """Runs `deliver(work(item))` on a thread of its own, one item at a time.

    An item that waits is replaced by a newer one and counted in `dropped`.  What `work` or `deliver`
    raises goes to `failed`, and the thread goes on.  Nothing is delivered, nor any failure told, after
    `stop` has returned, even where the work took longer than `stop` waited.
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
                with self._delivering:
                    if not self._stopping:
                        self._failed(error)
            # The last cloud and its answer may take 100 MB: not until the next one comes.
            item = result = None  # type: ignore[assignment]

# SPDX-License-Identifier: Apache-2.0
"""A thread that always takes the newest item, so that a slow consumer never lags behind."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


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

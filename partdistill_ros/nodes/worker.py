# SPDX-License-Identifier: Apache-2.0
"""A thread that always takes the newest item, so that a slow consumer never lags behind."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

Item = TypeVar("Item")


class LatestWorker(Generic[Item]):
    """Runs `work(item)` on a thread of its own, one item at a time.

    An item that waits is replaced by a newer one and counted in `dropped`.  What `work` raises goes
    to `failed`, and the thread goes on.
    """

    def __init__(self, work: Callable[[Item], None], failed: Callable[[Exception], None]) -> None:
        self._work = work
        self._failed = failed
        self._condition = threading.Condition()
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
        return not self._thread.is_alive()

    def _run(self) -> None:
        while True:
            with self._condition:
                self._condition.wait_for(lambda: self._waiting or self._stopping)
                if self._stopping:
                    return
                item = self._waiting.pop()
            try:
                self._work(item)
            except Exception as error:
                self._failed(error)

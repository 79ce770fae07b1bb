# SPDX-License-Identifier: Apache-2.0
"""Threads that always take the newest item, so that a slow consumer never lags behind."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


class LatestWorker(Generic[Item, Result]):
    """Runs `work(item)` on one thread and `deliver(result)` on another, each for one item at a time.

    An item that waits is replaced by a newer one and counted in `dropped`; none is begun before the result of the
    last but one is delivered.  What `work` or `deliver` raises goes to `failed`, and the threads go on.  Nothing is
    delivered after `stop` has returned, even where the work took longer than `stop` waited.
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
        self._ready: list[Result] = []
        self._stopping = False
        self.dropped = 0
        # Daemons, so that a step that takes long cannot hold up the end of the process.
        self._threads = [
            threading.Thread(target=self._work_on, name="latest-worker", daemon=True),
            threading.Thread(target=self._hand_over, name="latest-deliverer", daemon=True),
        ]

    def start(self) -> None:
        """Starts the threads; a worker starts once."""
        for thread in self._threads:
            thread.start()

    def offer(self, item: Item) -> None:
        """Hands over a newer item and returns at once."""
        with self._condition:
            self.dropped += len(self._waiting)
            self._waiting[:] = [item]
            self._condition.notify_all()

    def stop(self, timeout: float) -> bool:
        """Forgets what waits and ends the threads; False if a step still ran after `timeout` seconds."""
        with self._condition:
            self._stopping = True
            self._waiting.clear()
            self._ready.clear()
            self._condition.notify_all()
        end = time.monotonic() + timeout
        for thread in self._threads:
            if thread.is_alive():
                thread.join(max(0.0, end - time.monotonic()))
        with self._delivering:  # a delivery that has begun is seen through
            return not any(thread.is_alive() for thread in self._threads)

    def _work_on(self) -> None:
        while True:
            with self._condition:
                self._condition.wait_for(lambda: (self._waiting and not self._ready) or self._stopping)
                if self._stopping:
                    return
                item = self._waiting.pop()
            try:
                result = self._work(item)
                with self._condition:
                    if not self._stopping:
                        self._ready.append(result)
                        self._condition.notify_all()
            except Exception as error:
                self._failed(error)
            # The last cloud and its answer may take 100 MB: not until the next one comes.
            item = result = None  # type: ignore[assignment]

    def _hand_over(self) -> None:
        while True:
            with self._condition:
                self._condition.wait_for(lambda: self._ready or self._stopping)
                if self._stopping:
                    return
                result = self._ready.pop()
                self._condition.notify_all()
            try:
                with self._delivering:
                    if not self._stopping:
                        self._deliver(result)
            except Exception as error:
                self._failed(error)
            result = None  # type: ignore[assignment]

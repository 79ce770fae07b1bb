# SPDX-License-Identifier: Apache-2.0
"""Work that takes long, awaited by a callback without holding up the others."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rclpy.executors import Executor
    from rclpy.task import Future


def in_background(executor: Executor, work: Callable[[], Any]) -> Future[Any]:
    """Runs `work` on a thread; `await` the future in a coroutine callback for what it returns or raises.

    The callback must have a callback group of its own: a group that excludes others is held until
    the coroutine ends.
    """
    from rclpy.task import Future

    future: Future[Any] = Future(executor=executor)

    def run() -> None:
        try:
            future.set_result(work())
        except Exception as error:
            future.set_exception(error)
        # A future that is done does not wake an executor that waits for messages; a task does.
        executor.create_task(lambda: None)

    threading.Thread(target=run, name="background", daemon=True).start()
    return future

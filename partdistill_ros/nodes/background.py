# SPDX-License-Identifier: Apache-2.0
"""Work that takes long, awaited by a callback without holding up the others."""

from __future__ import annotations

import threading
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, TypeVar, cast

if TYPE_CHECKING:
    from rclpy.executors import Executor

Result = TypeVar("Result")


def in_background(executor: Executor, work: Callable[[], Result]) -> Awaitable[Result]:
    """Runs `work` on a thread; `await` it in a coroutine callback for what it returns or raises.

    The callback must have a callback group of its own: a group that excludes others is held until
    the coroutine ends.
    """
    from rclpy.task import Future

    future: Any = Future(executor=executor)

    def run() -> None:
        try:
            future.set_result(work())
        except Exception as error:
            future.set_exception(error)
        # A future that is done does not wake an executor that waits for messages; a task does.
        executor.create_task(lambda: None)

    threading.Thread(target=run, name="background", daemon=True).start()
    return cast(Awaitable[Result], future)

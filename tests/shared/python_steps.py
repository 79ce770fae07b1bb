# SPDX-License-Identifier: Apache-2.0
"""How much of some work Python itself does: a guard against loops over points that no clock and no busy machine
disturbs."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import FrameType


def python_steps(work: Callable[[], object]) -> int:
    """Lines of Python that `work()` runs on this thread: a thousand or so where numpy does it, as many as there are
    points, or more, in a loop over them."""
    count = 0

    def trace(frame: FrameType, event: str, argument: object) -> Callable[..., object]:
        nonlocal count
        count += event == "line"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        work()
    finally:
        sys.settrace(before)
    return count

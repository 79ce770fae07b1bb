# SPDX-License-Identifier: Apache-2.0
"""A limit for log lines: a broken driver sends 30 bad clouds a second, for days, each bad in its own way."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

SECONDS = 5.0
"""The same words are said at most this often."""
MOST = 10
"""So many different lines in that time; the rest is counted."""


class Throttle:
    """Passes lines on to `say`; may be called from several threads."""

    # Not rclpy's throttle_duration_sec: it goes by the line of code, and would hold back other problems too.
    def __init__(self, say: Callable[[str], object], clock: Callable[[], float] = time.monotonic) -> None:
        self._say, self._clock = say, clock
        self._lock = threading.Lock()
        self._said: dict[str, float] = {}
        self._held_back = 0

    def __call__(self, words: str) -> None:
        """Says `words`, unless they or too much else were said a moment ago."""
        with self._lock:
            now = self._clock()
            self._said = {line: then for line, then in self._said.items() if now - then < SECONDS}
            if words in self._said:
                return
            if len(self._said) >= MOST:
                self._held_back += 1
                return
            self._said[words] = now
            held_back, self._held_back = self._held_back, 0
        self._say(f"{words} ({held_back} other messages were left out before this one)" if held_back else words)

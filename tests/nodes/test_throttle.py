# SPDX-License-Identifier: Apache-2.0
"""One problem does not fill the log, and does not hide another."""

from __future__ import annotations

import pytest

from partdistill_ros.nodes.throttle import MOST, SECONDS, Throttle


class Log:
    def __init__(self):
        self.lines, self.now = [], 0.0
        self.warn = Throttle(self.lines.append, lambda: self.now)


@pytest.fixture
def log():
    return Log()


def test_the_same_words_come_once_in_a_while(log):
    for _ in range(3):
        log.warn("no field 'z'")
    log.warn("no field 'x'")
    assert log.lines == ["no field 'z'", "no field 'x'"]
    log.now = SECONDS
    log.warn("no field 'z'")
    assert log.lines[2:] == ["no field 'z'"]


def test_ever_new_words_are_counted_instead(log):
    for number in range(MOST + 7):
        log.warn(f"field {number}")
    assert len(log.lines) == MOST
    log.now = SECONDS
    log.warn("field 'z'")
    assert log.lines[MOST:] == ["field 'z' (7 other messages were left out before this one)"]
    log.warn("field 'y'")
    assert log.lines[-1] == "field 'y'"

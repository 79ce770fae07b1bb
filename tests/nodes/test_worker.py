# SPDX-License-Identifier: Apache-2.0
"""The newest item is always the next one, whatever the pace."""

from __future__ import annotations

import threading

import pytest

from partdistill_ros.nodes.worker import LatestWorker


class Gate:
    """Work that waits for a permit, and tells which items it did."""

    def __init__(self):
        self.begun, self.done = [], []
        self.entered, self.permit = threading.Semaphore(0), threading.Semaphore(0)

    def work(self, item):
        self.begun.append(item)
        self.entered.release()
        assert self.permit.acquire(timeout=10)
        if item == "bad":
            raise ValueError("bad item")
        self.done.append(item)


@pytest.fixture
def gate():
    return Gate()


def test_items_that_wait_are_replaced_and_counted(gate):
    worker = LatestWorker(gate.work, pytest.fail)
    worker.start()
    worker.offer(1)
    assert gate.entered.acquire(timeout=10)
    for item in (2, 3, 4):
        worker.offer(item)
    gate.permit.release()
    assert gate.entered.acquire(timeout=10)
    gate.permit.release()
    assert worker.stop(10)
    assert gate.done == [1, 4]
    assert worker.dropped == 2


def test_a_failure_is_told_and_the_next_item_is_done(gate):
    failures = []
    worker = LatestWorker(gate.work, failures.append)
    worker.start()
    for item in ("bad", "good"):
        worker.offer(item)
        assert gate.entered.acquire(timeout=10)
        gate.permit.release()
    assert worker.stop(10)
    assert [str(failure) for failure in failures] == ["bad item"]
    assert gate.done == ["good"]


def test_stop_says_whether_the_work_ended(gate):
    worker = LatestWorker(gate.work, pytest.fail)
    worker.start()
    worker.offer(1)
    assert gate.entered.acquire(timeout=10)
    worker.offer(2)
    assert not worker.stop(0.05)
    gate.permit.release()
    assert worker.stop(10)
    assert gate.begun == [1]


def test_a_worker_that_never_started_stops():
    assert LatestWorker(print, print).stop(0)

# SPDX-License-Identifier: Apache-2.0
"""The newest item is always the next one, whatever the pace."""

from __future__ import annotations

import threading
import time
import weakref

import pytest

from partdistill_ros.nodes.worker import LatestWorker


class Gate:
    """Work that waits for a permit; `done` is what was delivered."""

    def __init__(self):
        self.begun, self.done = [], []
        self.entered, self.permit, self.delivered = (threading.Semaphore(0) for _ in range(3))

    def work(self, item):
        self.begun.append(item)
        self.entered.release()
        assert self.permit.acquire(timeout=10)
        if item == "bad":
            raise ValueError("bad item")
        return item

    def deliver(self, item):
        self.done.append(item)
        self.delivered.release()


@pytest.fixture
def gate():
    return Gate()


def test_items_that_wait_are_replaced_and_counted(gate):
    worker = LatestWorker(gate.work, gate.deliver, pytest.fail)
    worker.start()
    worker.offer(1)
    assert gate.entered.acquire(timeout=10)
    for item in (2, 3, 4):
        worker.offer(item)
    gate.permit.release()
    assert gate.entered.acquire(timeout=10)
    gate.permit.release()
    assert gate.delivered.acquire(timeout=10) and gate.delivered.acquire(timeout=10)
    assert worker.stop(10)
    assert gate.done == [1, 4]
    assert worker.dropped == 2


def test_a_failure_is_told_and_the_next_item_is_done(gate):
    failures = []
    worker = LatestWorker(gate.work, gate.deliver, failures.append)
    worker.start()
    for item in ("bad", "good"):
        worker.offer(item)
        assert gate.entered.acquire(timeout=10)
        gate.permit.release()
    assert gate.delivered.acquire(timeout=10)
    assert worker.stop(10)
    assert [str(failure) for failure in failures] == ["bad item"]
    assert gate.done == ["good"]


def test_stop_says_whether_the_work_ended(gate):
    worker = LatestWorker(gate.work, gate.deliver, pytest.fail)
    worker.start()
    worker.offer(1)
    assert gate.entered.acquire(timeout=10)
    worker.offer(2)
    assert not worker.stop(0.05)
    gate.permit.release()
    assert worker.stop(10)
    assert gate.begun == [1]
    assert gate.done == [], "delivered after stop had returned"


def test_stop_sees_a_delivery_through(gate):
    events, leave = [], threading.Event()

    def deliver(item):
        events.append("begun")
        gate.entered.release()
        leave.wait(10)
        events.append("delivered")

    worker = LatestWorker(lambda item: item, deliver, pytest.fail)
    worker.start()
    worker.offer(1)
    assert gate.entered.acquire(timeout=10)
    threading.Timer(0.2, leave.set).start()
    worker.stop(0.01)
    assert events == ["begun", "delivered"]


def test_a_delivery_that_fails_is_told(gate):
    failures, told = [], threading.Semaphore(0)

    def deliver(item):
        raise ValueError("the publisher is gone")

    def failed(error):
        failures.append(str(error))
        told.release()

    worker = LatestWorker(lambda item: item, deliver, failed)
    worker.start()
    worker.offer(1)
    assert told.acquire(timeout=10)
    assert worker.stop(10) and failures == ["the publisher is gone"]


def test_an_item_is_let_go_once_it_is_done(gate):
    class Big:
        pass

    item = Big()
    gone = weakref.ref(item)
    worker = LatestWorker(gate.work, lambda result: None, pytest.fail)
    worker.start()
    worker.offer(item)
    assert gate.entered.acquire(timeout=10)
    gate.begun.clear()
    del item
    gate.permit.release()
    end = time.monotonic() + 10
    while gone() is not None and time.monotonic() < end:
        time.sleep(0.01)
    assert gone() is None
    worker.stop(10)


def test_a_worker_that_never_started_stops():
    assert LatestWorker(print, print, print).stop(0)

# SPDX-License-Identifier: Apache-2.0
"""A coroutine gets the result of a thread while other callbacks go on; the newest item is always the next one."""

from __future__ import annotations

import gc
import threading
import time
import weakref

import pytest

from partdistill_ros.nodes.background import Background, LatestWorker, TooSlow, Turns


def spin_until(node, done):
    """Turns of the executor until `done`; a turn that nothing woke would sit out its minute, and fails."""
    while not done():
        begin = time.monotonic()
        node.executor.spin_once(timeout_sec=60)
        assert time.monotonic() - begin < 50, "the executor was not woken"


@pytest.mark.ros
def test_other_callbacks_go_on_meanwhile(node):
    release, ticks, results = threading.Event(), [], []

    async def wait():
        results.append(await Background().run(node.executor, lambda: release.wait(20) and "loaded"))

    node.executor.create_task(wait)
    timer = node.create_timer(0.01, lambda: ticks.append(1))
    spin_until(node, lambda: len(ticks) >= 3)
    assert not results
    node.destroy_timer(timer)
    release.set()
    spin_until(node, lambda: results)
    assert results == ["loaded"]


@pytest.mark.ros
def test_what_the_work_raises_is_raised_where_it_is_awaited(node):
    caught = []

    def fail():
        raise ValueError("damaged")

    async def wait():
        try:
            await Background().run(node.executor, fail)
        except ValueError as error:
            caught.append(str(error))

    node.executor.create_task(wait)
    spin_until(node, lambda: caught)
    assert caught == ["damaged"]


@pytest.mark.ros
def test_one_thread_does_one_thing_after_the_other(node):
    background, threads = Background(), []

    async def wait():
        threads.append(await background.run(node.executor, threading.get_ident))

    for _ in range(3):
        node.executor.create_task(wait)
    spin_until(node, lambda: len(threads) == 3)
    assert len(set(threads)) == 1 and threads[0] != threading.get_ident()


@pytest.mark.ros
def test_work_that_does_not_end_is_given_up_and_the_next_is_done(node):
    background, release, results = Background(), threading.Event(), []

    async def wait():
        for work in (lambda: release.wait(20), lambda: "loaded"):
            try:
                results.append(await background.run(node.executor, work, limit=0.2, late="it hangs"))
            except TooSlow as error:
                results.append(str(error))

    node.executor.create_task(wait)
    spin_until(node, lambda: len(results) == 2)
    assert results == ["it hangs", "loaded"]
    assert not background.idle and not background.wait_idle(0.05)
    release.set()
    assert background.wait_idle(10) and results == ["it hangs", "loaded"]


def test_a_limit_counts_the_work_and_not_the_wait_for_it():
    background, begun, release, results = Background(), threading.Event(), threading.Event(), []

    def work():
        begun.set()
        return release.wait(20)

    first = threading.Thread(target=lambda: results.append(background.wait_for(work, 20.0, "", lambda: False)))
    first.start()
    assert begun.wait(20)
    second = threading.Thread(
        target=lambda: results.append(background.wait_for(lambda: "loaded", 0.2, "it hangs", lambda: False))
    )
    second.start()
    time.sleep(0.5)
    release.set()
    first.join(10)
    second.join(10)
    assert set(results) == {True, "loaded"}


def test_what_waits_behind_work_that_is_given_up_is_done():
    background, release, results = Background(), threading.Event(), []

    def hang():
        try:
            background.wait_for(lambda: release.wait(20), 0.3, "it hangs", lambda: False)
        except TooSlow as error:
            results.append(str(error))

    first = threading.Thread(target=hang)
    first.start()
    assert background.wait_for(lambda: "loaded", 20.0, "", lambda: False) == "loaded"
    first.join(10)
    assert results == ["it hangs"]
    before = threading.active_count()
    release.set()
    assert background.wait_idle(10)
    end = time.monotonic() + 10
    while threading.active_count() >= before and time.monotonic() < end:
        time.sleep(0.01)
    assert threading.active_count() < before, "the thread that was given up stays for good"


@pytest.mark.ros
def test_coroutines_take_turns_in_the_order_in_which_they_came(node):
    background, turns, events, tasks, arrived = Background(), Turns(), [], [], []

    async def change(name, seconds):
        arrived.append(name)

        async def work():
            events.append(f"{name} begins")
            await background.run(node.executor, lambda: time.sleep(seconds))
            events.append(f"{name} ends")
            if name == "b":
                raise ValueError("the next one comes all the same")

        try:
            await turns.take(node.executor, work)
        except ValueError:
            events.append("b fails")

    for one in (("a", 0.2), ("b", 0.1), ("c", 0.0)):
        tasks.append(node.executor.create_task(change, *one))
        spin_until(node, lambda: len(arrived) == len(tasks))  # Jazzy begins the newest of several tasks first
    spin_until(node, lambda: all(task.done() for task in tasks))
    assert events == ["a begins", "a ends", "b begins", "b ends", "b fails", "c begins", "c ends"]


def test_a_caller_that_waits_gets_result_error_limit_or_end():
    background, release = Background(), threading.Event()
    never = {"limit": 20.0, "late": "", "ended": lambda: False}
    assert background.wait_for(lambda: 7, **never) == 7
    with pytest.raises(ValueError, match="damaged"):
        background.wait_for(lambda: int("damaged"), **never)
    with pytest.raises(TooSlow, match="it hangs"):
        background.wait_for(lambda: release.wait(20), **never | {"limit": 0.2, "late": "it hangs"})
    with pytest.raises(TooSlow, match="interrupted"):
        background.wait_for(lambda: release.wait(20), **never | {"ended": lambda: True})
    release.set()
    assert background.wait_idle(10)


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


def test_a_failure_after_stop_is_not_told(gate):
    worker = LatestWorker(gate.work, gate.deliver, pytest.fail)
    worker.start()
    worker.offer("bad")
    assert gate.entered.acquire(timeout=10)
    assert not worker.stop(0.05)
    gate.permit.release()
    assert worker.stop(10), "pytest.fail in it would have been told by an exception of the thread"


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


def test_a_time_limit_keeps_nothing_of_a_result() -> None:
    """A student holds 12 MB outside the collector's sight: it must go when the last one lets go of it."""

    class Student:
        def __init__(self) -> None:
            time.sleep(0.1)  # loading takes longer than setting the limit up

    background = Background()
    gc.disable()
    try:
        kept = [weakref.ref(background.wait_for(Student, 60.0, "late", lambda: False)) for _ in range(3)]
        end = time.monotonic() + 10
        while any(one() is not None for one in kept) and time.monotonic() < end:
            time.sleep(0.01)
        assert [one() for one in kept] == [None] * 3
    finally:
        gc.enable()

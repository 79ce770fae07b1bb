# SPDX-License-Identifier: Apache-2.0
"""A coroutine gets the result of a thread while the executor goes on with other callbacks."""

from __future__ import annotations

import threading
import time

import pytest

from partdistill_ros.nodes.background import Background

pytestmark = pytest.mark.ros


@pytest.fixture
def node(ros_environment):
    import rclpy
    from rclpy.executors import SingleThreadedExecutor

    context = rclpy.Context()
    rclpy.init(context=context, domain_id=int(ros_environment["ROS_DOMAIN_ID"]))
    made = rclpy.create_node("waiting", context=context)
    executor = SingleThreadedExecutor(context=context)
    executor.add_node(made)
    yield made
    executor.shutdown()
    made.destroy_node()
    rclpy.shutdown(context=context)


def spin_until(node, done):
    end = time.monotonic() + 20
    while not done() and time.monotonic() < end:
        node.executor.spin_once(timeout_sec=5)
    assert done()


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
    begin = time.monotonic()
    spin_until(node, lambda: results)
    # Without being woken, the executor would sit out the 5 s of its spin.
    assert results == ["loaded"] and time.monotonic() - begin < 4


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


def test_one_thread_does_one_thing_after_the_other(node):
    background, threads = Background(), []

    async def wait():
        threads.append(await background.run(node.executor, threading.get_ident))

    for _ in range(3):
        node.executor.create_task(wait)
    spin_until(node, lambda: len(threads) == 3)
    assert len(set(threads)) == 1 and threads[0] != threading.get_ident()

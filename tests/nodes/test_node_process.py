# SPDX-License-Identifier: Apache-2.0
"""Processes that are always ended, failures told with the node's own words, clouds read back exactly."""

import os
import signal
import subprocess
import sys
import time

import pytest

from partdistill_ros.errors import CommandFailed
from partdistill_ros.nodes import node_process


@pytest.fixture
def fake_node(monkeypatch, tmp_path):
    """A node process that runs `code` instead of a node."""

    real = subprocess.Popen

    def start(code, name="fake"):
        def popen(words, **options):
            return real([sys.executable, "-c", code, *words[3:]], **options)

        monkeypatch.setattr(node_process.subprocess, "Popen", popen)
        parameters = {"rate": 2.0, "loop": True, "query": "it's a mug"}
        return node_process.NodeProcess(name, parameters, tmp_path / f"{name}.log")

    return start


def alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def wait_for(words, node):
    end = time.monotonic() + 60
    while words not in node.log.read_text():
        assert time.monotonic() < end
        time.sleep(0.02)


WAIT = """
import time
print("ready", flush=True)
try:
    time.sleep(600)
except KeyboardInterrupt:
    print("ended")
"""
STUBBORN = """
import signal, time
signal.signal(signal.SIGINT, signal.SIG_IGN)
print("ready", flush=True)
time.sleep(600)
"""


def test_parameters_are_written_as_yaml(fake_node):
    node = fake_node("import sys; print(*sys.argv[1:])")
    assert node.wait(60) == 0
    for words in ("--ros-args", "rate:=2.0", "loop:=true", "query:='it''s a mug'"):
        assert words in node.tail()


def test_a_node_is_interrupted_and_only_a_stubborn_one_killed(fake_node, monkeypatch):
    node = fake_node(WAIT)
    wait_for("ready", node)
    assert node.peak_megabytes() > 1
    node.check()
    assert node.end() == 0 and "ended" in node.tail()

    monkeypatch.setattr(node_process, "END_SECONDS", 0.3)
    node = fake_node(STUBBORN)
    wait_for("ready", node)
    assert node.end() == -signal.SIGKILL and not alive(node.pid)


def test_waiting_for_the_end_of_a_node(fake_node):
    node = fake_node(WAIT)
    wait_for("ready", node)
    with pytest.raises(CommandFailed, match="(?s)fake did not end within 0 s.*ready"):
        node.wait(0.1)
    node.end()
    assert node.wait(0) == 0


@pytest.mark.parametrize("error", [CommandFailed("over"), KeyboardInterrupt(), RuntimeError("bug")])
def test_every_node_is_ended_whatever_happens(fake_node, error):
    with (
        pytest.raises(type(error)),
        node_process.running([lambda: fake_node(WAIT, "a"), lambda: fake_node(WAIT, "b")]) as nodes,
    ):
        raise error
    assert [node.name for node in nodes] == ["a", "b"] and not any(alive(node.pid) for node in nodes)


def test_a_start_that_fails_ends_those_before_and_sigterm_is_an_interrupt(fake_node):
    started = []

    def first():
        started.append(fake_node(WAIT))
        return started[0]

    with pytest.raises(ZeroDivisionError), node_process.running([first, lambda: 1 / 0]):
        pass
    assert not alive(started[0].pid)

    handler = signal.getsignal(signal.SIGTERM)
    with pytest.raises(KeyboardInterrupt), node_process.running([]):
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(5)
    assert signal.getsignal(signal.SIGTERM) == handler


def test_the_domain_is_not_the_users(monkeypatch):
    for own in range(103):
        monkeypatch.setenv("ROS_DOMAIN_ID", str(own))
        assert 1 <= node_process.private_domain() <= 101 and node_process.private_domain() != own

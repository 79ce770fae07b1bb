# SPDX-License-Identifier: Apache-2.0
"""The measurement of transports sets up each end as it says, and counts what arrives."""

from __future__ import annotations

import importlib.util
from types import ModuleType

import pytest

from partdistill_ros.nodes.environment import PROFILE_VARIABLES, TRANSPORTS

HAS_ROS = importlib.util.find_spec("rclpy") and importlib.util.find_spec("partdistill_ros.msg")


@pytest.fixture(scope="module")
def benchmark(repository) -> ModuleType:
    spec = importlib.util.spec_from_file_location("transports", repository / "benchmarks" / "transports.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_an_end_has_its_setting_and_no_other(benchmark, monkeypatch):
    monkeypatch.setenv(TRANSPORTS, "UDPv4")
    monkeypatch.setenv(PROFILE_VARIABLES[1], "/old/profile.xml")
    for setting, expected in benchmark.SETTINGS.items():
        made = benchmark.environment(setting, 7)
        ours = {name: made[name] for name in (TRANSPORTS, *PROFILE_VARIABLES) if name in made}
        assert ours == expected and made["ROS_DOMAIN_ID"] == "7"


@pytest.mark.skipif(not HAS_ROS, reason="needs rclpy and the built interfaces: run make")
def test_reliable_clouds_arrive(benchmark):
    assert benchmark.arrived("profile", "profile", "reliable", 2, 4.0, 91) == 2

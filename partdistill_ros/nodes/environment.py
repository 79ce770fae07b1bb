# SPDX-License-Identifier: Apache-2.0
"""What a process needs before its first ROS call: rclpy, and a middleware that carries whole clouds."""

from __future__ import annotations

import importlib.util
import os

from partdistill_ros.errors import PartDistillError

TRANSPORTS = "FASTDDS_BUILTIN_TRANSPORTS"


def prepare() -> None:
    """Sets up the environment of a node; call it before importing rclpy.

    The default transports of Fast DDS lose nearly all best-effort clouds over 1 MB on a small
    machine; LARGE_DATA delivers them.  A choice already made in the environment stays.
    Raises PartDistillError where rclpy or the package's own interfaces are missing.
    """
    os.environ.setdefault(TRANSPORTS, "LARGE_DATA")
    if importlib.util.find_spec("rclpy") is None:
        raise PartDistillError(
            "the nodes need ROS 2's Python client 'rclpy': source a ROS 2 installation "
            "(source /opt/ros/<distro>/setup.bash), or run 'make' in the repository and use its .venv"
        )
    if importlib.util.find_spec("partdistill_ros.msg") is None:
        raise PartDistillError(
            "the message types of partdistill_ros are not built: run 'colcon build' in the ROS 2 workspace "
            "and source its install/setup.bash, or run 'make' in the repository"
        )

# SPDX-License-Identifier: Apache-2.0
"""What a process needs before its first ROS call: rclpy, and a middleware that carries whole clouds."""

from __future__ import annotations

import contextlib
import ctypes
import importlib.util
import os
from collections.abc import Mapping
from pathlib import Path

from partdistill_ros.errors import PartDistillError

PROFILE = Path(__file__).with_name("fastdds.xml")
PROFILE_VARIABLES = ("FASTDDS_DEFAULT_PROFILES_FILE", "FASTRTPS_DEFAULT_PROFILES_FILE")
"""Where Fast DDS 3 (Kilted and later) and 2 (up to Jazzy) look for a profile; 3 warns about the old one."""
OLD_DISTRIBUTIONS = ("humble", "iron", "jazzy")
TRANSPORTS = "FASTDDS_BUILTIN_TRANSPORTS"

SHARED_MEMORY = Path("/dev/shm")
ROOM = 48 * 2**20
"""Bytes of shared memory that must be free: a segment of 16 MB a process. Containers often have 64 MB in all."""


def cloud_transports(environment: Mapping[str, str]) -> dict[str, str]:
    """The variables to add to `environment` so that Fast DDS carries clouds of megabytes.

    Empty where a choice was made already.  Measured on 2 busy cores with clouds of 4.8 MB, received
    of 10: best effort 0 with the default transports and with LARGE_DATA, 10 with a larger shared
    memory segment; reliable 10 with each.  LARGE_DATA, which also cannot be heard by computers with
    default transports, is left for where shared memory is short.
    """
    if any(environment.get(name) for name in (TRANSPORTS, *PROFILE_VARIABLES)):
        return {}
    if _shared_memory() < ROOM:
        return {TRANSPORTS: "LARGE_DATA"}
    return {PROFILE_VARIABLES[environment.get("ROS_DISTRO") in OLD_DISTRIBUTIONS]: str(PROFILE)}


def prepare() -> None:
    """Sets up the environment of this process for a node; call it before `rclpy.init`.

    Raises PartDistillError where rclpy or the package's own interfaces are missing.
    """
    os.environ.update(cloud_transports(os.environ))
    keep_memory()
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


def keep_memory() -> None:
    """Lets glibc keep the megabytes of one cloud for the next one.

    Given back after every cloud, they are mapped in anew page by page: 15 instead of 4 ms of CPU time
    for the labeled cloud of 300,000 points in a virtual machine.
    """
    trim_threshold, mmap_threshold = -1, -3
    with contextlib.suppress(OSError, AttributeError):
        mallopt = ctypes.CDLL("libc.so.6").mallopt
        mallopt(trim_threshold, 256 * 2**20)
        mallopt(mmap_threshold, 32 * 2**20)


def release_memory() -> None:
    """Gives back once what `keep_memory` holds, after work of another kind than the clouds.

    16 students loaded one after the other: 146 MB resident instead of 258.
    """
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL("libc.so.6").malloc_trim(0)


def _shared_memory() -> int:
    """Free bytes of shared memory, 0 where there is none."""
    try:
        status = os.statvfs(SHARED_MEMORY)
    except OSError:
        return 0
    return status.f_bavail * status.f_frsize

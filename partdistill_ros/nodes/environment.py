# SPDX-License-Identifier: Apache-2.0
"""What a process needs before its first ROS call: rclpy, and a middleware that carries whole clouds."""

from __future__ import annotations

import ctypes
import fcntl
import importlib.util
import os
import re
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
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
LEAST_ROOM = 256 * 2**10
"""With less the tracing that ROS is linked with (LTTng) ends the process by SIGBUS while it is imported."""
SEGMENT_LOCK = re.compile(r"fast(dds|rtps)_[0-9a-f]{16}_el")
YOUNG_SECONDS = 10.0
"""Its program may be about to lock a segment that is younger."""


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
    return {profile_variable(environment): str(PROFILE)}


def profile_variable(environment: Mapping[str, str] = os.environ) -> str:
    """Where Fast DDS of this distribution looks for a profile."""
    return PROFILE_VARIABLES[environment.get("ROS_DISTRO") in OLD_DISTRIBUTIONS]


def check_shared_memory() -> None:
    """Call it before the first import of rclpy. Raises PartDistillError where shared memory is full."""
    if SHARED_MEMORY.is_dir() and (free := _shared_memory()) < LEAST_ROOM:
        raise PartDistillError(
            f"{SHARED_MEMORY} is full ({free // 1000} kB are free), in which ROS's libraries end with a bus error: "
            "'fastdds shm clean' removes what killed programs have left; a container gets more by --shm-size"
        )


def prepare() -> None:
    """Sets up the environment of this process for a node; call it before `rclpy.init`.

    Raises PartDistillError where rclpy or the package's own interfaces are missing, or no log can be written.
    """
    os.environ.update(cloud_transports(os.environ))
    os.environ.update(log_folder(os.environ))
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


def log_folder(environment: Mapping[str, str]) -> dict[str, str]:
    """The variable to add to `environment` where ROS could not write its log, without which `rclpy.init` fails:
    under systemd there may be no HOME, in a container of another user none that can be written. Says what it does.

    Raises PartDistillError where nothing can be written.
    """
    home = environment.get("ROS_HOME") or (environment.get("HOME") and f"{environment['HOME']}/.ros")
    chosen = environment.get("ROS_LOG_DIR") or (home and f"{home}/log")
    if chosen and _writable(Path(chosen).expanduser()):
        return {}
    problem = f"the log folder {chosen} cannot be written" if chosen else "HOME is not set"
    try:
        folder = Path(tempfile.gettempdir()) / f"ros_log_{os.getuid()}"
        if not _writable(folder) or folder.is_symlink() or folder.stat().st_uid != os.getuid():
            folder = Path(tempfile.mkdtemp(prefix="ros_log_"))
    except OSError as error:
        raise PartDistillError(f"{problem}: set ROS_LOG_DIR to a folder that can be written ({error})") from None
    print(f"warning: {problem}: ROS logs to {folder}; set ROS_LOG_DIR to choose another folder", file=sys.stderr)
    return {"ROS_LOG_DIR": str(folder)}


def _writable(folder: Path) -> bool:
    """Whether files can be made in a folder, which is made where it is not there."""
    try:
        folder.mkdir(mode=0o755, parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError:
        return False


def keep_memory() -> None:
    """Lets glibc keep the megabytes of one cloud for the next one.

    Given back after every cloud, they are mapped in anew page by page: 15 instead of 4 ms of CPU time
    for the labeled cloud of 300,000 points in a virtual machine.
    """
    trim_threshold, mmap_threshold = -1, -3
    with suppress(OSError, AttributeError):
        mallopt = ctypes.CDLL("libc.so.6").mallopt
        mallopt(trim_threshold, 256 * 2**20)
        mallopt(mmap_threshold, 32 * 2**20)


def release_memory() -> None:
    """Gives back once what `keep_memory` holds, after work of another kind than the clouds.

    16 students loaded one after the other: 146 MB resident instead of 258.
    """
    with suppress(OSError, AttributeError):
        ctypes.CDLL("libc.so.6").malloc_trim(0)


def dead_segments() -> str:
    """What killed programs of this user left in shared memory, as a sentence with its remedy; empty where nothing."""
    sizes = [512 * segment.stat().st_blocks for segment in _segments() if _is_dead(segment)]
    if not sizes:
        return ""
    return (
        f"programs that were killed have left {sum(sizes) / 1e6:.0f} MB in {SHARED_MEMORY} ({len(sizes)} segments), "
        "which clouds need: 'fastdds shm clean' removes them"
    )


def remove_own_segments() -> None:
    """Takes away this process's shared memory where it ends in the middle of its work; those who read it go on."""
    for lock in Path("/proc/self/fd").iterdir():
        with suppress(OSError):
            target = lock.readlink()
            if target.parent == SHARED_MEMORY and SEGMENT_LOCK.fullmatch(target.name):
                target.with_name(target.name.removesuffix("_el")).unlink()
                target.unlink()


def _segments() -> Iterator[Path]:
    """The segments of this user that are not just being made."""
    with suppress(OSError):
        for lock in SHARED_MEMORY.iterdir():
            segment = lock.with_name(lock.name.removesuffix("_el"))
            with suppress(OSError):
                status = lock.stat()
                young = time.time() - status.st_mtime < YOUNG_SECONDS
                if SEGMENT_LOCK.fullmatch(lock.name) and status.st_uid == os.getuid() and not young:
                    yield segment


def _is_dead(segment: Path) -> bool:
    """Fast DDS locks a file beside its segment as long as the program lives."""
    try:
        lock = os.open(f"{segment}_el", os.O_RDONLY)
    except OSError:
        return False
    try:
        fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return False
    finally:
        os.close(lock)
    return segment.exists()


def _shared_memory() -> int:
    """Free bytes of shared memory, 0 where there is none."""
    try:
        status = os.statvfs(SHARED_MEMORY)
    except OSError:
        return 0
    return status.f_bavail * status.f_frsize

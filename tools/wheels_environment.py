# SPDX-License-Identifier: Apache-2.0
"""Start-up hook of `.venv`: starts Python again in an environment in which the ROS 2 wheels find their libraries.

The loader reads LD_LIBRARY_PATH when a process starts, so a process cannot set it for itself.  The hook that
comes with the wheels re-executes too, but only once per process tree, whichever environment came first, and it
shuffles the order of the folders; this one runs before it and keeps ours in front of a sourced ROS 2.
Installed into site-packages by tools/install.sh, with a .pth file that imports it.
"""

import os
import sys
import sysconfig
from collections.abc import Mapping
from pathlib import Path

DONE = "PARTDISTILL_ROS_PREFIX"  # the prefix that the process tree was last set up for
DONE_BY_WHEELS = "_ROS_WHEELS_BOOTSTRAP_COMPLETE"


def wheels_environment(prefix: Path, site_packages: Path, environment: Mapping[str, str]) -> dict[str, str]:
    """Returns `environment` with the libraries of `prefix` first and without the paths of another ROS 2.

    Prefixes in AMENT_PREFIX_PATH that come with `prefix` are overlays of it and stay; without it they are foreign.
    """
    prefixes = _entries(environment, "AMENT_PREFIX_PATH")
    foreign = [] if str(prefix) in prefixes else [Path(entry) for entry in prefixes]

    def own(entry: str) -> bool:
        return not any(Path(entry).is_relative_to(root) for root in foreign)

    libraries = [str(prefix / "lib"), *sorted(str(folder) for folder in site_packages.glob("ros_*.libs"))]
    libraries += [entry for entry in _entries(environment, "LD_LIBRARY_PATH") if own(entry) and entry not in libraries]
    changed = dict(environment)
    changed["LD_LIBRARY_PATH"] = os.pathsep.join(libraries)
    changed["AMENT_PREFIX_PATH"] = str(prefix) if foreign or not prefixes else os.pathsep.join(prefixes)
    changed["PYTHONPATH"] = os.pathsep.join(filter(own, _entries(environment, "PYTHONPATH")))
    changed[DONE] = str(prefix)
    changed[DONE_BY_WHEELS] = "1"
    return changed


def start_again() -> None:
    """Replaces this process by the same command in the environment of the wheels, unless it is there already."""
    if os.environ.get(DONE) == sys.prefix or not sys.executable or not sys.orig_argv:
        return
    environment = wheels_environment(Path(sys.prefix), Path(sysconfig.get_path("platlib")), os.environ)
    os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], environment)


def _entries(environment: Mapping[str, str], name: str) -> list[str]:
    return [entry for entry in environment.get(name, "").split(os.pathsep) if entry]

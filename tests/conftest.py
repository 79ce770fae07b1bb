# SPDX-License-Identifier: Apache-2.0
"""What every test shares: a ROS domain of its own, and the folder of evaluation data where there is one."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]

# Before any test imports rclpy: runs side by side on one machine or network must not hear each other.
# Domains above 101 collide with the ephemeral ports of Linux.
os.environ.setdefault("ROS_DOMAIN_ID", str(1 + os.getpid() % 101))
os.environ.setdefault("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")


@pytest.fixture(scope="session")
def repository() -> Path:
    """The root of the source checkout."""
    return REPOSITORY


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """The folder with `shapes/` and `scans/`: PARTDISTILL_DATA, else ../shared/data beside the checkout."""
    folder = Path(os.environ.get("PARTDISTILL_DATA") or REPOSITORY.parent / "shared" / "data")
    if not (folder / "shapes").is_dir():
        pytest.skip(f"no evaluation data in {folder} (PARTDISTILL_DATA names another folder)")
    return folder

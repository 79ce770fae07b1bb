# SPDX-License-Identifier: Apache-2.0
"""The folder of one scan of a collection, see `scans/member.py`."""

from __future__ import annotations

from pathlib import Path

from partdistill_ros.io.readers.ply import read_ply
from partdistill_ros.io.recorded_scan import check_cloud, read_manifest
from partdistill_ros.pointcloud.scan import Scan


def read_recorded_scan(folder: Path) -> Scan:
    """Read the cloud of a member under the name of its folder.

    Raises PartDistillError where manifest or cloud is missing, damaged, or they do not belong together.
    """
    manifest = read_manifest(folder)
    scan = read_ply(check_cloud(folder, manifest))
    return scan.with_(name=folder.name, category=manifest.category)

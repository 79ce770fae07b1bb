# SPDX-License-Identifier: Apache-2.0
"""A writer that is killed at any moment leaves whole scans only."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

import partdistill_ros
from partdistill_ros.recording.collection import Collection, check

ROOT = Path(partdistill_ros.__file__).parents[1]
KILLS = 4
WRITER = """
import sys
import numpy as np
from partdistill_ros.recording.collection import Collection
from partdistill_ros.pointcloud.scan import Scan
collection = Collection.create(sys.argv[1])
points = np.random.default_rng(0).normal(size=(5000, 3)).astype(np.float32)
while True:
    collection.add(Scan(points, name="mug"))
    print("added", flush=True)
"""


def test_no_partial_member_is_taken_for_a_whole_one(tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    for _ in range(KILLS):
        writer = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(tmp_path / "mugs")], stdout=subprocess.PIPE, env=environment
        )
        assert writer.stdout is not None and writer.stdout.readline() == b"added\n"
        time.sleep(rng.uniform(0.0, 1.0))
        writer.send_signal(signal.SIGKILL)
        writer.wait()
        writer.stdout.close()
    found = check(tmp_path / "mugs")
    assert found.damaged == {} and len(found.valid) >= KILLS
    Collection.create(tmp_path / "mugs")  # still one
    assert all(name.startswith(".mug") for name in found.unfinished)

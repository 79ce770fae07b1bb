# SPDX-License-Identifier: Apache-2.0
"""Exit codes: 0 for an end that was asked for, 1 with a sentence for a node that cannot start."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

pytestmark = pytest.mark.ros

NODE = """
import sys
from rclpy.node import Node
from partdistill_ros.errors import PartDistillError
from partdistill_ros.nodes.runtime import NodeEnded, run_node

class Small(Node):
    def __init__(self):
        super().__init__("small")
        if sys.argv[1] == "refuses":
            raise PartDistillError("the bundle is damaged: fetch it again")
        self.create_timer(0.01, self.tick)

    def start(self):
        return sys.argv[1] != "fails"

    def stop(self):
        print("stopping", flush=True)
        return sys.argv[1] != "hangs"

    def tick(self):
        raise KeyboardInterrupt if sys.argv[1] == "interrupted" else NodeEnded

sys.exit(run_node(Small, []))
"""


@pytest.mark.parametrize(("case", "code", "words"), [
    ("ends", 0, "stopping"),
    ("interrupted", 0, "stopping"),
    ("hangs", 0, "stopping"),
    ("fails", 1, "stopping"),
    ("refuses", 1, "error: the bundle is damaged: fetch it again"),
])  # fmt: skip
def test_exit_codes(ros_environment, case, code, words):
    done = subprocess.run(
        [sys.executable, "-c", NODE, case], env=os.environ | ros_environment, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == code, done.stderr
    assert words in done.stdout + done.stderr and "Traceback" not in done.stderr

# SPDX-License-Identifier: Apache-2.0
"""Which middleware settings of sender and receiver carry large clouds.

    python benchmarks/transports.py [--count 20] [--rate 2]

A sender that sets nothing up by itself, as a camera driver, publishes organized clouds of 640 x 480 points
(4.9 MB) to a receiver in another process, over Fast DDS on this machine alone. Printed is how many arrived,
for each setting of either end and both reliabilities: the table in docs/ros.md. Other work on the machine
counts: run it while the robot does what it does.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from partdistill_ros.nodes.environment import PROFILE, PROFILE_VARIABLES, TRANSPORTS
from partdistill_ros.visualization.tables import aligned

POINTS = (480, 640)  # rows, columns
SETTINGS: dict[str, dict[str, str]] = {
    "none": {},
    "LARGE_DATA": {TRANSPORTS: "LARGE_DATA"},
    "profile": {name: str(PROFILE) for name in PROFILE_VARIABLES[:1]},
}
RELIABILITIES = ("best_effort", "reliable")
SECONDS = 60.0  # either end waits for the other so long at most


def environment(setting: str, domain: int) -> dict[str, str]:
    """This process's environment with one of `SETTINGS` and none of the others, on a domain of this machine."""
    clean = {name: value for name, value in os.environ.items() if name not in (TRANSPORTS, *PROFILE_VARIABLES)}
    private = {"ROS_DOMAIN_ID": str(domain), "ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST"}
    return clean | private | SETTINGS[setting]


def send(reliability: str, count: int, rate: float, done: Path) -> None:
    """The sender's process: creates `done` after the last cloud."""
    import numpy as np
    import rclpy
    from sensor_msgs.msg import PointCloud2
    from std_msgs.msg import Header

    from partdistill_ros.nodes.conversions import cloud_message
    from partdistill_ros.nodes.qos import profile
    from partdistill_ros.pointcloud.scan import Scan

    rows, columns = POINTS
    points = np.random.default_rng(0).random((rows * columns, 3)).astype(np.float32)
    colors = np.zeros((rows * columns, 3), np.uint8)
    message = cloud_message(Scan(points, colors=colors, grid=POINTS), Header(frame_id="camera"))
    rclpy.init(args=[])
    node = rclpy.create_node("sender")
    publisher = node.create_publisher(PointCloud2, "points", profile(reliability, 1))
    end = time.monotonic() + SECONDS
    while not publisher.get_subscription_count() and time.monotonic() < end:
        time.sleep(0.1)
    time.sleep(1.0)
    for _ in range(count):
        publisher.publish(message)
        time.sleep(1 / rate)
    time.sleep(1.0)
    done.touch()
    rclpy.try_shutdown()


def receive(reliability: str, done: Path) -> int:
    """The receiver's process: how many clouds came until `done` appeared."""
    import rclpy
    from sensor_msgs.msg import PointCloud2

    from partdistill_ros.nodes.qos import profile

    rclpy.init(args=[])
    node = rclpy.create_node("receiver")
    arrived: list[int] = []
    node.create_subscription(
        PointCloud2, "points", lambda message: arrived.append(message.width), profile(reliability, 1)
    )
    end = time.monotonic() + 3 * SECONDS
    while not done.exists() and time.monotonic() < end:
        rclpy.spin_once(node, timeout_sec=0.1)
    rclpy.try_shutdown()
    return len(arrived)


def arrived(sender: str, receiver: str, reliability: str, count: int, rate: float, domain: int) -> int:
    """Clouds that arrived, of `count` sent at `rate` Hz. Raises CalledProcessError where an end fails."""
    with tempfile.TemporaryDirectory() as folder:
        own = [sys.executable, __file__, "--reliability", reliability, "--done", str(Path(folder) / "done")]
        ends = {
            "receive": subprocess.Popen(
                [*own, "--role", "receive"], env=environment(receiver, domain), stdout=subprocess.PIPE, text=True
            ),
            "send": subprocess.Popen(
                [*own, "--role", "send", "--count", str(count), "--rate", str(rate)], env=environment(sender, domain)
            ),
        }
        try:
            for process in reversed(ends.values()):
                if process.wait(3 * SECONDS + count / rate):
                    raise subprocess.CalledProcessError(process.returncode, process.args)
            output = ends["receive"].stdout
            assert output is not None
            return int(output.read())
        finally:
            for process in ends.values():
                process.kill()


def main() -> int:
    """Runs every combination one after the other; prints a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=20, help="clouds sent (20)")
    parser.add_argument("--rate", type=float, default=2.0, help="clouds a second (2)")
    parser.add_argument("--role", choices=("send", "receive"), help=argparse.SUPPRESS)
    parser.add_argument("--reliability", choices=RELIABILITIES, help=argparse.SUPPRESS)
    parser.add_argument("--done", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.role == "send":
        send(given.reliability, given.count, given.rate, given.done)
        return 0
    if given.role == "receive":
        print(receive(given.reliability, given.done))
        return 0
    rows, domain = [("sender", "receiver", *RELIABILITIES)], 1 + os.getpid() % 60
    for sender in SETTINGS:
        for receiver in ("profile", "LARGE_DATA"):
            counts = []
            for reliability in RELIABILITIES:
                domain += 1
                counts.append(str(arrived(sender, receiver, reliability, given.count, given.rate, domain)))
            rows.append((sender, receiver, *counts))
            print(*rows[-1], file=sys.stderr, flush=True)
    print(aligned(rows))
    return 0


if __name__ == "__main__":
    sys.exit(main())

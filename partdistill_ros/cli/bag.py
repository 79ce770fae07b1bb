# SPDX-License-Identifier: Apache-2.0
"""`partdistill bag`: what clouds a ROS 2 recording holds, and scans out of it."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path

from partdistill_ros.cli.common import Answer, LeftOut, add_unit, check_folder, check_inputs, positive
from partdistill_ros.cli.progress import progress
from partdistill_ros.errors import PartDistillError

SUMMARY = "clouds of a ROS 2 bag as scan files"
DESCRIPTION = """\
List the topics of clouds and depth images of recordings (rosbag2: mcap or sqlite3; ROS 1), or with
--out write them as scans; depth images need their camera_info beside them. No ROS installation is needed."""
EXAMPLES = """\
  partdistill bag recording/
  partdistill bag recording/ --out scans/ --topic /camera/points --every 30
  partdistill bag monday.mcap tuesday.mcap --out scans/ --limit 20 --format pcd
  partdistill bag lidar/ --out scans/ --unit mm"""

FORMATS = ("npz", "ply", "pcd")


def configure(parser: ArgumentParser) -> None:
    parser.add_argument("bags", nargs="+", type=Path, metavar="BAG", help="recording: folder, .mcap, .db3 or .bag file")
    parser.add_argument("--out", type=Path, metavar="DIR", help="write scans here; without it topics are listed")
    parser.add_argument("--topic", metavar="NAME", help="of clouds or depth images; not needed where there is only one")
    parser.add_argument("--every", type=positive, metavar="N", help="take each N-th message")
    parser.add_argument("--limit", type=positive, metavar="N", help="at most so many scans of each bag")
    parser.add_argument("--format", choices=FORMATS, help="of the scan files (default npz)")
    add_unit(parser)


def run(arguments: Namespace) -> Answer:
    """List or write."""
    check_inputs(arguments.bags)
    if arguments.out is None:
        for option in ("topic", "every", "limit", "format"):
            if getattr(arguments, option) is not None:
                raise PartDistillError(f"--{option} needs --out: without it the topics are only listed")
        if arguments.unit != "m":
            raise PartDistillError("--unit needs --out: without it the topics are only listed")
        return _list(arguments.bags)
    check_folder(arguments.out)
    names = [bag.stem for bag in arguments.bags]
    if len(set(names)) < len(names):
        raise PartDistillError(
            "two bags have the same name, their scans would replace each other: take them one by one"
        )
    return _write(arguments)


def _list(bags: list[Path]) -> Answer:
    from partdistill_ros.io.readers.bag import cloud_topics
    from partdistill_ros.visualization.tables import aligned

    found = {str(bag): cloud_topics(bag) for bag in bags}
    rows = [(bag, topic, str(count)) for bag, topics in found.items() for topic, count in topics.items()]
    rows += [(bag, "no clouds, no depth images", "-") for bag, topics in found.items() if not topics]
    return Answer({"bags": found}, aligned([("bag", "topic", "messages"), *rows]))


def _write(arguments: Namespace) -> Answer:
    from itertools import islice

    from partdistill_ros.io.readers.bag import read_bag
    from partdistill_ros.io.save import save_scan
    from partdistill_ros.pointcloud.scan import UNITS

    left_out = LeftOut()
    written: list[str] = []
    for bag in arguments.bags:
        scans = read_bag(bag, arguments.topic, arguments.every or 1, left_out)
        for scan in progress(islice(scans, arguments.limit), bag.stem):
            path = arguments.out / f"{scan.name}.{arguments.format or 'npz'}"
            save_scan(path, scan if arguments.unit == "m" else scan.scaled(UNITS[arguments.unit]))
            written.append(str(path))
    lost = f", {len(left_out.found)} left out" if left_out.found else ""
    record = {"out": str(arguments.out), "scans": written, "left_out": left_out.reasons}
    return Answer(record, f"wrote {len(written)} scan{'s' * (len(written) != 1)} to {arguments.out}{lost}")

# SPDX-License-Identifier: Apache-2.0
"""rosbag2 recordings (mcap and sqlite3) through the `rosbags` library: no ROS installation needed."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from partdistill_ros.errors import PartDistillError
from partdistill_ros.scans.pointcloud2 import decode
from partdistill_ros.scans.scan import Scan

if TYPE_CHECKING:
    from rosbags.highlevel import AnyReader

CLOUD_TYPE = "sensor_msgs/msg/PointCloud2"

_log = logging.getLogger(__name__)


def cloud_topics(path: str | PathLike[str]) -> dict[str, int]:
    """The PointCloud2 topics of a bag and how many messages each has.

    Raises PartDistillError where the bag cannot be opened.
    """
    with _opened(Path(path)) as reader:
        return _topics(reader)


def read_bag(
    path: str | PathLike[str],
    topic: str | None = None,
    every: int = 1,
    on_skip: Callable[[Path, PartDistillError], None] | None = None,
) -> Iterator[Scan]:
    """Read the clouds of a bag (its folder, or one `.mcap` or `.db3` file) in the order of recording.

    `topic` may be left out where there is one PointCloud2 topic only; `every` n-th message is read,
    beginning with the first. Scans are named after the bag and the message's number. A message that
    cannot be decoded, or has no finite point, goes to `on_skip(path, error)` (default: a warning in
    the log) and is left out.
    Raises PartDistillError for a damaged bag, a missing topic (the message lists those there are),
    and when no message could be read.
    """
    bag = Path(path)
    if every < 1:
        raise PartDistillError(f"every n-th message: n must be 1 or more, it is {every}")
    skip = on_skip or (lambda bag, error: _log.warning("left out: %s", error))
    count = 0
    with _opened(bag) as reader:
        connections = _choose(bag, reader, topic)
        for number, (connection, _, content) in enumerate(reader.messages(connections=connections)):
            if number % every:
                continue
            try:
                scan = _scan(reader, connection, content, f"{bag}, message {number}")
            except PartDistillError as error:
                skip(bag, error)
                continue
            count += 1
            yield scan.with_(name=f"{bag.stem}_{number:06d}")
    if not count:
        raise PartDistillError(f"{bag} has no cloud that can be read on {connections[0].topic}; record it again")


@contextmanager
def _opened(bag: Path) -> Iterator[AnyReader]:
    """The bag open for reading; whatever goes wrong inside is told as a PartDistillError."""
    try:
        from rosbags.highlevel import AnyReader
        from rosbags.typesys import Stores, get_typestore
    except ImportError as error:
        raise PartDistillError(f"reading {bag} needs the Python package 'rosbags': pip install rosbags") from error
    if not bag.exists():
        raise PartDistillError(f"cannot open {bag}: there is no such bag; check the path")
    try:
        # sqlite3 bags before Iron hold no message definitions; PointCloud2 has not changed since.
        with AnyReader([bag], default_typestore=get_typestore(Stores.LATEST)) as reader:
            yield reader
    except (PartDistillError, GeneratorExit):
        raise
    except Exception as error:  # rosbags passes on what sqlite3, mcap chunks, yaml and zstd run into
        raise PartDistillError(
            f"{bag} cannot be read as a rosbag2 recording ({error}); it may be cut off: try `ros2 bag reindex`, "
            "or record it again"
        ) from error


def _topics(reader: AnyReader) -> dict[str, int]:
    topics: Counter[str] = Counter()
    for connection in reader.connections:
        if connection.msgtype == CLOUD_TYPE:
            topics[connection.topic] += connection.msgcount
    return dict(sorted(topics.items()))


def _choose(bag: Path, reader: AnyReader, topic: str | None) -> list[Any]:
    topics = _topics(reader)
    listed = ", ".join(f"{name} ({count} messages)" for name, count in topics.items()) or "none"
    if topic is None and len(topics) == 1:
        topic = next(iter(topics))
    if topic is None:
        raise PartDistillError(f"{bag}: choose a PointCloud2 topic; there are: {listed}")
    wanted = topic if topic.startswith("/") else f"/{topic}"
    chosen = [one for one in reader.connections if one.topic == wanted and one.msgtype == CLOUD_TYPE]
    if not chosen:
        raise PartDistillError(f"{bag} has no PointCloud2 topic '{topic}'; there are: {listed}")
    return chosen


def _scan(reader: AnyReader, connection: Any, content: bytes, name: str) -> Scan:
    try:
        message: Any = reader.deserialize(content, connection.msgtype)
    except Exception as error:  # a cut message makes the generated decoder run into anything
        raise PartDistillError(f"{name} is damaged ({error}); record it again") from error
    fields = [(field.name, field.offset, field.datatype, field.count) for field in message.fields]
    layout = (message.height, message.width, message.point_step, message.row_step, message.is_bigendian)
    scan = decode(fields, *layout, message.data, name=name)
    if not scan.finite().any():
        raise PartDistillError(f"{name} holds no finite point; check the sensor's range")
    return scan

# SPDX-License-Identifier: Apache-2.0
"""Recordings (rosbag2: mcap and sqlite3; ROS 1) through the `rosbags` library: no ROS installation needed."""

from __future__ import annotations

import importlib
import logging
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from partdistill_ros.errors import PartDistillError
from partdistill_ros.io.parsing import reason, warn_left_out
from partdistill_ros.pointcloud.depth import DEPTH_ENCODINGS, depth_scan
from partdistill_ros.pointcloud.layout import CloudLayout
from partdistill_ros.pointcloud.scan import Scan

if TYPE_CHECKING:
    from rosbags.highlevel import AnyReader

CLOUD_TYPE = "sensor_msgs/msg/PointCloud2"
IMAGE_TYPE = "sensor_msgs/msg/Image"
INFO_TYPE = "sensor_msgs/msg/CameraInfo"
TRANSFORM_TYPE = "tf2_msgs/msg/TFMessage"
STORAGE_SUFFIXES = (".mcap", ".db3", ".bag")
COMPRESSED = ".zstd"
ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"
"""Begins a compressed message; CDR begins with 0, and 0 to 11."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class BagCloud:
    """A cloud of a bag: the `number` of its message on the topic, `stamp` in nanoseconds and `frame` of its header."""

    scan: Scan
    number: int
    topic: str
    stamp: int
    frame: str


@dataclass(frozen=True)
class BagTransform:
    """A transform of a bag: takes points of `child` to `parent`; `stamp` in nanoseconds, quaternion x, y, z, w."""

    parent: str
    child: str
    stamp: int
    static: bool
    translation: tuple[float, float, float]
    quaternion: tuple[float, float, float, float]


def bag_name(path: str | PathLike[str]) -> str:
    """What scans of a bag are named after: its folder or file without `.mcap`, `.db3`, `.bag` and `.zstd`."""
    bag = Path(Path(path).name.removesuffix(COMPRESSED))
    return bag.stem if bag.suffix in STORAGE_SUFFIXES else bag.name


def cloud_topics(path: str | PathLike[str]) -> dict[str, int]:
    """The topics of a bag with clouds or depth images, and how many messages each has.

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
    """Read the clouds of a bag (its folder, or one `.mcap`, `.db3` or ROS 1 `.bag` file) in the order of recording.

    Depth images become organized clouds by their camera_info, without color: a bag does not tell which image is
    registered. `topic` may be left out where there is one topic of clouds only, or of depth images; `every` n-th
    message is read, beginning with the first. Scans are named after the bag and the message's number. A message that
    cannot be decoded, or has no finite point, goes to `on_skip(path, error)` (default: a warning in the log) and is
    left out.
    Raises PartDistillError for a damaged bag, a missing topic (the message lists those there are),
    and when no message could be read.
    """
    return (cloud.scan for cloud in read_clouds(path, topic, every, on_skip))


def read_clouds(
    path: str | PathLike[str],
    topic: str | None = None,
    every: int = 1,
    on_skip: Callable[[Path, PartDistillError], None] | None = None,
) -> Iterator[BagCloud]:
    """As `read_bag`, with the time and frame of each cloud."""
    bag = Path(path)
    if every < 1:
        raise PartDistillError(f"every n-th message: n must be 1 or more, it is {every}")
    skip = on_skip or warn_left_out
    count = 0
    with _opened(bag) as reader:
        connections = _choose(bag, reader, topic)
        info = _camera_info(reader, connections[0])
        for number, (connection, time, content) in enumerate(reader.messages(connections=connections)):
            if number % every:
                continue
            try:
                message = _message(reader, connection, content, f"{bag}, message {number}")
                scan = _scan(message, info, f"{bag}, message {number}")
            except PartDistillError as error:
                skip(bag, error)
                continue
            count += 1
            # Some drivers leave the stamp empty; then the time of recording has to do.
            stamp = message.header.stamp.sec * 10**9 + message.header.stamp.nanosec or time
            named = scan.with_(name=f"{bag_name(bag)}_{number:06d}")
            yield BagCloud(named, number, connection.topic, stamp, message.header.frame_id)
    if not count:
        raise PartDistillError(f"{bag} has no cloud that can be read on {connections[0].topic}; record it again")


def count_clouds(path: str | PathLike[str], topic: str | None = None) -> int:
    """How many messages `read_clouds` would see. Raises as it does."""
    with _opened(Path(path)) as reader:
        return sum(connection.msgcount for connection in _choose(Path(path), reader, topic))


def read_transforms(path: str | PathLike[str]) -> Iterator[BagTransform]:
    """What a bag's tf topics say, none where it has none; damaged messages are left out.

    Raises PartDistillError where the bag cannot be opened.
    """
    bag = Path(path)
    with _opened(bag) as reader:
        connections = [one for one in reader.connections if one.msgtype == TRANSFORM_TYPE]
        if not connections:
            return
        for connection, _, content in reader.messages(connections=connections):
            try:
                message = _message(reader, connection, content, f"{bag}, a message on {connection.topic}")
            except PartDistillError as error:
                warn_left_out(bag, error)
                continue
            for one in message.transforms:
                moved, turned = one.transform.translation, one.transform.rotation
                yield BagTransform(
                    one.header.frame_id,
                    one.child_frame_id,
                    one.header.stamp.sec * 10**9 + one.header.stamp.nanosec,
                    connection.topic.endswith("tf_static"),
                    (moved.x, moved.y, moved.z),
                    (turned.x, turned.y, turned.z, turned.w),
                )


@contextmanager
def _opened(bag: Path) -> Iterator[AnyReader]:
    """The bag open for reading; whatever goes wrong inside becomes a PartDistillError."""
    try:
        from rosbags.highlevel import AnyReader
        from rosbags.typesys import Stores, get_typestore
    except ImportError as error:
        raise PartDistillError(f"reading {bag} needs the Python package 'rosbags': pip install rosbags") from error
    if not bag.exists():
        raise PartDistillError(f"cannot open {bag}: there is no such bag; check the path")
    try:
        with ExitStack() as stack:
            paths = _storage(bag, stack)
            # sqlite3 bags before Iron hold no message definitions; PointCloud2 has not changed since.
            yield stack.enter_context(AnyReader(paths, default_typestore=get_typestore(Stores.LATEST)))
    except (PartDistillError, GeneratorExit):
        raise
    except Exception as error:  # rosbags passes on what sqlite3, mcap chunks, yaml and zstd run into
        raise PartDistillError(
            f"{bag} cannot be read as a rosbag2 recording ({reason(error)}); it may be cut off: "
            "try `ros2 bag reindex` (of ROS 1: `rosbag reindex`), or record it again"
        ) from error


def _storage(bag: Path, stack: ExitStack) -> list[Path]:
    """What rosbags opens: the folder where its metadata.yaml lists what belongs together, else its files, unpacked
    where they are compressed whole (until `stack` is closed)."""
    if bag.is_dir() and (bag / "metadata.yaml").is_file():
        return [bag]
    files = sorted(file for file in bag.iterdir() if is_storage(file)) if bag.is_dir() else [bag]
    if not files:
        raise PartDistillError(f"{bag} is no recording: it holds neither metadata.yaml nor a .mcap, .db3 or .bag file")
    if bag.is_dir():
        _log.warning("%s has no metadata.yaml: its %d files are read as one recording", bag, len(files))
    if any(file.suffix == COMPRESSED for file in files):
        room = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="partdistill_bag_")))
        files = [_unpacked(file, room) if file.suffix == COMPRESSED else file for file in files]
    return files


def is_storage(path: Path) -> bool:
    """Whether a file's name is that of a part of a bag."""
    return Path(path.name.lower().removesuffix(COMPRESSED)).suffix in STORAGE_SUFFIXES


def _unpacked(file: Path, room: Path) -> Path:
    zstd = _zstd()
    target = room / file.stem
    with zstd.open(file, "rb") as packed, open(target, "wb") as plain:
        shutil.copyfileobj(packed, plain)
    return target


def _zstd() -> Any:
    """The module that rosbags itself unpacks with."""
    return importlib.import_module("compression.zstd" if sys.version_info >= (3, 14) else "backports.zstd")


def _topics(reader: AnyReader) -> dict[str, int]:
    topics: Counter[str] = Counter()
    for connection in reader.connections:
        if connection.msgtype == CLOUD_TYPE or _is_depth(reader, connection):
            topics[connection.topic] += connection.msgcount
    return dict(sorted(topics.items()))


def _is_depth(reader: AnyReader, connection: Any) -> bool:
    """Whether a topic has depth images, with a camera_info beside it; its first image tells."""
    if connection.msgtype != IMAGE_TYPE or not _infos(reader, connection):
        return False
    first = next(iter(reader.messages(connections=[connection])), None)
    if first is None:
        return False
    try:
        return _message(reader, connection, first[2], connection.topic).encoding in DEPTH_ENCODINGS
    except PartDistillError:
        return False


def _infos(reader: AnyReader, image: Any) -> list[Any]:
    """The camera_info of an image topic: `.../camera_info` beside `.../image_raw`, as drivers have it; and as the
    RealSense SDK records, `.../info/camera_info` beside `.../image/data`."""
    folder = image.topic.rsplit("/", 1)[0]
    names = (f"{folder}/camera_info", f"{folder.rsplit('/', 1)[0]}/info/camera_info")
    return [one for one in reader.connections if one.topic in names and one.msgtype == INFO_TYPE]


def _camera_info(reader: AnyReader, connection: Any) -> Any:
    """The first camera_info of an image topic (intrinsics stay as they are in a recording), None for clouds."""
    infos = _infos(reader, connection) if connection.msgtype == IMAGE_TYPE else []
    if not infos:
        return None  # reading the messages of no connection would mean all
    for info, _, content in reader.messages(connections=infos):
        return _message(reader, info, content, f"the camera_info on {info.topic}")
    raise PartDistillError(
        f"{infos[0].topic} has no messages, without which {connection.topic} cannot become clouds: record both again"
    )


def _choose(bag: Path, reader: AnyReader, topic: str | None) -> list[Any]:
    topics = _topics(reader)
    listed = ", ".join(f"{name} ({count} messages)" for name, count in topics.items()) or "none"
    clouds = {one.topic for one in reader.connections if one.msgtype == CLOUD_TYPE}
    likely = clouds or set(topics)
    if topic is None and len(likely) == 1:
        topic = next(iter(likely))
    if topic is None:
        raise PartDistillError(f"{bag}: choose a topic of clouds or depth images; there are: {listed}")
    wanted = topic if topic.startswith("/") else f"/{topic}"
    chosen = [one for one in reader.connections if one.topic == wanted and one.topic in topics]
    if not chosen:
        raise PartDistillError(f"{bag} has no topic '{topic}' of clouds or depth images; there are: {listed}")
    return chosen


def _message(reader: AnyReader, connection: Any, content: bytes, name: str) -> Any:
    try:
        if bytes(content[:4]) == ZSTD_MAGIC:  # only metadata.yaml, if there is one, says that messages are compressed
            content = _zstd().decompress(content)
        return reader.deserialize(content, connection.msgtype)
    except Exception as error:  # a cut message makes the generated decoder run into anything
        raise PartDistillError(f"{name} is damaged ({reason(error)}); record it again") from error


def _scan(message: Any, info: Any, name: str) -> Scan:
    scan = CloudLayout.of(message, name).scan(message.data) if info is None else depth_scan(message, info, name)
    if not scan.finite().any():
        raise PartDistillError(f"{name} holds no finite point; check the sensor's range")
    return scan

# SPDX-License-Identifier: Apache-2.0
"""`partdistill collect`: recordings of `ros2 bag record` into a collection of scanned objects."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from partdistill_ros.cli.common import Answer, LeftOut, add_objects, add_unit, check_folder, check_inputs, positive, say
from partdistill_ros.cli.progress import progress
from partdistill_ros.errors import PartDistillError
from partdistill_ros.text.space import clean_category

if TYPE_CHECKING:
    from partdistill_ros.recording.recorder import Recording

SUMMARY = "objects out of ROS 2 bags into a collection"
DESCRIPTION = """\
Read the clouds of recordings (`ros2 bag record`: mcap or sqlite3, compressed or not, split, with or
without metadata.yaml), cut the object out of each, and keep it as a scan of a collection, with pictures.
Clouds in which nothing has changed are kept once. No ROS installation is needed.

--cut tabletop takes what stands on a table; crop what lies in --box; none the whole cloud. With
--object-frame, a frame in which the object stands still (map for a moving camera, the turntable's
frame for a turntable), scans are brought into that frame by the bag's tf, and --join makes one scan
of all views of an object. Collected again, a bag adds only what is missing."""
EXAMPLES = """\
  partdistill collect monday/ --out mugs/ --topic /camera/points --category mug
  partdistill collect monday/ tuesday.mcap --out mugs/ --every 10 --limit 30
  partdistill collect turntable/ --out mugs/ --object-frame turntable --join --cut crop \\
      --box -0.15 -0.15 0.005 0.15 0.15 0.4
  partdistill collection ls mugs/"""


def configure(parser: ArgumentParser) -> None:
    parser.add_argument("bags", nargs="+", type=Path, metavar="BAG", help="recording: folder, .mcap, .db3 or .bag file")
    parser.add_argument("--out", type=Path, required=True, metavar="COLLECTION", help="made where it is not there")
    parser.add_argument("--topic", metavar="NAME", help="of clouds or depth images; not needed where there is only one")
    parser.add_argument("--every", type=positive, default=1, metavar="N", help="take each N-th cloud")
    parser.add_argument("--limit", type=positive, metavar="N", help="at most so many scans of each bag")
    parser.add_argument("--cut", choices=("tabletop", "crop", "none"), default="tabletop", help="default tabletop")
    parser.add_argument(
        "--pick",
        choices=("largest", "nearest", "all"),
        default="largest",
        help="which of several objects on the table (default largest); all: each is a scan of its own",
    )
    add_objects(parser)
    parser.add_argument(
        "--box",
        type=float,
        nargs=6,
        metavar=("X", "Y", "Z", "X", "Y", "Z"),
        help="lower and upper corner of --cut crop, meters, in the object's frame (without one: the cloud's)",
    )
    parser.add_argument("--object-frame", metavar="FRAME", help="frame in which the object stands still")
    parser.add_argument("--join", action="store_true", help="views of one object become one scan")
    parser.add_argument("--keep-still", action="store_true", help="keep clouds in which nothing has changed too")
    add_unit(parser)
    parser.add_argument("--category", metavar="NAME", help="what the objects are, for example mug")


def run(arguments: Namespace) -> Answer:
    """Check everything, then read bag after bag; one that cannot be read is named and the others go on."""
    check_inputs(arguments.bags)
    check_folder(arguments.out)
    recording = _recording(arguments)
    from partdistill_ros.recording.bags import collect_bag
    from partdistill_ros.recording.collection import Collection

    collection = Collection.create(arguments.out)
    written: list[str] = []
    records: list[dict[str, Any]] = []
    left_out = LeftOut()
    for bag in arguments.bags:
        try:
            tally = collect_bag(
                bag,
                collection,
                recording,
                topic=arguments.topic,
                every=arguments.every,
                object_frame=arguments.object_frame,
                unit=arguments.unit,
                report=say,
                progress=progress,
            )
        except PartDistillError as error:
            left_out(bag, error)
            continue
        written += [recorded.name for recorded in tally.written]
        records.append({"bag": str(bag), **_numbers(tally)})
    if not records:
        reasons = left_out.reasons
        raise PartDistillError(reasons[0] if len(reasons) == 1 else f"no bag could be read: {reasons[0]}")
    record = {"collection": str(arguments.out), "scans": written, "bags": records, "left_out": left_out.reasons}
    lines = [f"{one['bag']}: {one['text']}" for one in records]
    lost = f"; {len(left_out.found)} bags left out, named above" if left_out.found else ""
    return Answer(record, "\n".join([*lines, f"{len(written)} scans added to {arguments.out}{lost}"]))


def _recording(arguments: Namespace) -> Recording:
    if (arguments.cut == "crop") != (arguments.box is not None):
        raise PartDistillError("--cut crop and --box belong together: give both, or neither")
    if arguments.join and arguments.object_frame is None:
        raise PartDistillError("--join needs --object-frame: the frame in which the object stands still")
    if arguments.join and arguments.pick == "all":
        raise PartDistillError("--join follows one object: leave out --pick all")
    category = clean_category(arguments.category)
    from partdistill_ros.objects.params import TabletopParams
    from partdistill_ros.pointcloud.crop import CropBox
    from partdistill_ros.recording.cut import Cut
    from partdistill_ros.recording.recorder import Recording

    cut = Cut(arguments.cut, arguments.pick, tabletop=TabletopParams(method=arguments.objects))
    if arguments.box is not None:
        cut = replace(cut, box=CropBox(tuple(arguments.box[:3]), tuple(arguments.box[3:])))
    return Recording(
        cut,
        join=arguments.join,
        category=category,
        keep_unchanged=arguments.keep_still,
        limit=arguments.limit,
    )


def _numbers(tally: Any) -> dict[str, Any]:
    counts = {"clouds": tally.clouds, "still": tally.unchanged, "refused": tally.refused, "known": tally.known}
    return {**counts, "written": len(tally.written), "text": tally.text()}

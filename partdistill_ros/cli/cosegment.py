# SPDX-License-Identifier: Apache-2.0
"""`partdistill cosegment`: the parts that the things of a collection have in common; no ROS, no torch, no teacher."""

from __future__ import annotations

import json
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from partdistill_ros.cli.common import (
    AXES,
    Answer,
    LeftOut,
    add_engine,
    add_unit,
    check_folder,
    check_inputs,
    check_outside,
    free_name,
    say,
)
from partdistill_ros.cli.progress import progress
from partdistill_ros.errors import PartDistillError
from partdistill_ros.io.atomic import atomic_path
from partdistill_ros.io.parsing import read_json
from partdistill_ros.text.space import clean_name

if TYPE_CHECKING:
    from partdistill_ros.distillation.cosegment import Pieces
    from partdistill_ros.inference.segmenter import Segmenter

SUMMARY = "find the parts that a collection's things have in common"
DESCRIPTION = """\
Group the pieces that the scans of one kind of thing fall into, into the parts that they have in common. No teacher is
asked and no word is needed: what the student makes of each piece, its form and its place tell which are alike.

Each scan is written with its labels as .npz (of a mesh samples of its surface), and parts.png shows all of them, a
common part in one color; scans of an earlier run into the same folder go. Look at it, then run the same command with
--names: what two parts are called alike is one part, and - is none. The folder is then fit for `distill --labels`."""
EXAMPLES = """\
  partdistill cosegment mugs/ --out common/
  partdistill cosegment mugs/ --out common/ --parts 3 --names "cup, handle, cup"
  partdistill distill mugs/ --labels common/ --category mug --parts "handle, cup" --out my_mugs"""

DRAWN = 60  # clouds on the picture, evenly chosen
MOST = 16  # parts, and colors that are told apart
WRITTEN = "written.json"  # the names of the scans that a run wrote


def configure(parser: ArgumentParser) -> None:
    parser.add_argument("scans", nargs="+", type=Path, metavar="SCANS", help="collection, scans, or folders of them")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder to write into")
    parser.add_argument(
        "--parts", type=_parts, default=None, metavar="N", help=f"how many, 2 to {MOST}; auto guesses 3 to 8 (default)"
    )
    parser.add_argument(
        "--names", type=_names, default=(), metavar="NAMES", help="of the parts, in the order of the picture's legend"
    )
    parser.add_argument("--bundle", default="default", metavar="B", help="student to ask (default: the shipped one)")
    parser.add_argument("--up", choices=AXES, help="axis that points up, whatever the files tell")
    add_unit(parser)
    add_engine(parser)


def run(arguments: Namespace) -> Answer:
    """Read, group, write, draw. A scan that cannot be used is left out."""
    check_inputs(arguments.scans)
    check_folder(arguments.out)
    if arguments.parts is not None and arguments.names:
        _check_names(arguments.names, arguments.parts)
    check_outside(arguments.out, arguments.scans)
    earlier = _written(arguments.out)
    import numpy as np

    from partdistill_ros.distillation.cosegment import group
    from partdistill_ros.inference.segmenter import Segmenter
    from partdistill_ros.io.save import save_scan
    from partdistill_ros.visualization.cloud_sheet import cloud_sheet
    from partdistill_ros.visualization.pictures import save_picture

    left_out = LeftOut()
    pieces = _read(arguments, Segmenter(arguments.bundle, arguments.device, arguments.threads), left_out)
    grouped = group(pieces, arguments.parts)
    count = 1 + max(int(one.max()) for one in grouped)
    given = arguments.names or tuple(f"part {number}" for number in range(1, count + 1))
    _check_names(given, count)
    names = tuple(dict.fromkeys(name for name in given if name != "-"))
    label = np.array([names.index(name) if name in names else -1 for name in given], np.int16)
    clouds = [one.labeled(label[part], names) for one, part in zip(pieces, grouped, strict=True)]
    files = _files([cloud.name for cloud in clouds])
    for file, cloud in zip(files, clouds, strict=True):
        save_scan(arguments.out / file, cloud)
    for stale in earlier - set(files):
        (arguments.out / stale).unlink(missing_ok=True)
    with atomic_path(arguments.out / WRITTEN) as temporary:
        temporary.write_text(json.dumps(files) + "\n", encoding="utf-8")
    shown = clouds[:: -(-len(clouds) // DRAWN)]
    picture = arguments.out / "parts.png"
    save_picture(picture, cloud_sheet(shown, names, f"{len(names)} common parts of {len(clouds)} scans"))
    record = {
        "out": str(arguments.out),
        "picture": str(picture),
        "parts": list(names),
        "scans": files,
        "left_out": left_out.paths,
    }
    return Answer(record, f"{len(names)} parts of {len(clouds)} scans: {', '.join(names)}\nlook at {picture}")


def _read(arguments: Namespace, segmenter: Segmenter, left_out: LeftOut) -> list[Pieces]:
    """Raises PartDistillError where no scan can be used."""
    from partdistill_ros.distillation.cosegment import pieces_of
    from partdistill_ros.io.load import expand, load_scans

    found: list[Pieces] = []
    scans = load_scans(arguments.scans, up=arguments.up, unit=arguments.unit, on_skip=left_out)
    for scan in progress(scans, "cosegment", len(expand(arguments.scans))):
        try:
            found.append(pieces_of(scan, segmenter))
        except PartDistillError as error:
            left_out(scan.name, error)
    if not found:
        raise PartDistillError("none of the scans can be used, see above: scan the things closer or more densely")
    if len(found) == 1:
        say("one scan has nothing in common with others: these are parts of its own")
    return found


def _check_names(names: Sequence[str], count: int) -> None:
    if len(names) != count:
        raise PartDistillError(f"{len(names)} --names for {count} parts: give one for each, - for what is no part")


def _files(names: Sequence[str]) -> list[str]:
    """A file for each: scans of different folders may share their name."""
    files: dict[str, None] = {}  # in order, and quick to look up: a thousand may be called model.obj
    for name in names:
        files[free_name(name, ".npz", files)] = None
    return list(files)


def _written(out: Path) -> set[str]:
    """Scans in `out` that an earlier run wrote; what others laid there is none of them."""
    noted = out / WRITTEN
    names = read_json(noted, "delete it, and scans beside it that are not wanted") if noted.exists() else []
    return {str(name) for name in names if Path(str(name)).name == name}


def _parts(text: str) -> int | None:
    if text == "auto":
        return None
    number = int(text)
    if not 2 <= number <= MOST:
        raise ValueError
    return number


def _names(text: str) -> tuple[str, ...]:
    """Unlike those of `split_names` they may recur."""
    names = tuple(clean_name(name) for name in text.split(","))
    if not all(names) or set(names) == {"-"}:
        raise ValueError
    return names


_parts.__name__ = f"number of parts, 2 to {MOST} or auto:"
_names.__name__ = "list of names:"

# SPDX-License-Identifier: Apache-2.0
"""`partdistill units`: what backward distillation did to the teacher's answers, as pictures and a table."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from partdistill_ros.cli.common import Answer, LeftOut, check_folder, check_inputs, choose_device, free_name, positive
from partdistill_ros.cli.progress import progress
from partdistill_ros.errors import PartDistillError

if TYPE_CHECKING:
    from partdistill_ros.distillation.rescored_units import RescoredUnits
    from partdistill_ros.evaluation.unit_sheets import Sheet

SUMMARY = "look at the teacher's units that a student re-scored"
DESCRIPTION = """\
In backward distillation the student rescores what the teacher answered: each unit (a part name and the
points it is about, in one view) gets a new score. Draw per scan the units that fell and rose most,
each in its own view, and write units.csv with all of them and index.html to look at.

WORK is the folder that `distill` leaves beside its bundle (BUNDLE.work), a folder of rescored .npz files,
or such files."""
EXAMPLES = """\
  partdistill units my_mugs.work --out my_mugs_units
  partdistill units my_mugs.work/backward/mug_0*.npz --out units/ --count 12"""


def configure(parser: ArgumentParser) -> None:
    parser.add_argument("work", nargs="+", type=Path, metavar="WORK", help="work folder of distill, or rescored .npz")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder to write into")
    parser.add_argument("--count", type=positive, default=24, metavar="N", help="units drawn per scan (24)")


def run(arguments: Namespace) -> Answer:
    """Read, draw, write. A file that was named and cannot be read is an error; one in a folder is left out."""
    check_inputs(arguments.work)
    check_folder(arguments.out)
    choose_device("cpu", "looking at units")
    from partdistill_ros.evaluation.unit_sheets import Sheet, unit_rows, unit_sheet, write_csv, write_index
    from partdistill_ros.visualization.pictures import save_picture

    sheets: dict[str, Sheet] = {}
    rows: list[tuple[Any, ...]] = []
    left_out = LeftOut()
    files = _found(arguments.work)
    for file in progress(files, "units", len(files)):
        rescored = _read(file, file in arguments.work, left_out)
        if rescored is not None:
            name = free_name(file.stem, ".png", sheets)
            save_picture(arguments.out / name, unit_sheet(rescored, arguments.count))
            sheets[name] = Sheet.of(rescored, name)
            rows += unit_rows(rescored)
    if not sheets:
        raise PartDistillError(f"none of {len(left_out.found)} files of re-scored units could be read: train anew")
    write_csv(arguments.out / "units.csv", rows)
    index = arguments.out / "index.html"
    write_index(index, tuple(sheets.values()))
    scans = [asdict(sheet) for sheet in sheets.values()]
    lowered, raised = sum(one.lowered for one in sheets.values()), sum(one.raised for one in sheets.values())
    words = f"{len(rows)} units of {len(scans)} scans, {lowered} lowered, {raised} raised"
    record = {"out": str(arguments.out), "index": str(index), "scans": scans, "left_out": left_out.paths}
    return Answer(record, f"{words}\nlook at {index}")


def _found(paths: list[Path]) -> list[Path]:
    from partdistill_ros.distillation.rescored_units import find_rescored

    files = list(dict.fromkeys(file for path in paths for file in find_rescored(path)))
    if not files:
        named = ", ".join(map(str, paths))
        raise PartDistillError(f"no re-scored units in {named}: name the .work folder of a run that reached backward")
    return files


def _read(file: Path, named: bool, left_out: LeftOut) -> RescoredUnits | None:
    """None for a damaged file of a folder, which goes to `left_out`; one that was named is an error."""
    from partdistill_ros.distillation.rescored_units import RescoredUnits

    try:
        return RescoredUnits.load(file)
    except PartDistillError as error:
        if named:
            raise
        left_out(file, error)
        return None

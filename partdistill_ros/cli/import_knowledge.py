# SPDX-License-Identifier: Apache-2.0
"""`partdistill import-knowledge`: what the authors' preparation knows of shapes, for `distill` to train on."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import Any

from partdistill_ros.cli.common import AXES, Answer, LeftOut, check_folder, check_inputs, choose_device
from partdistill_ros.cli.progress import progress
from partdistill_ros.errors import PartDistillError
from partdistill_ros.text.space import clean_category, split_names

SUMMARY = "prepared preprocess.h5 files of PartDistill's authors into scans that know"
DESCRIPTION = """\
Read the layout in which the authors of PartDistill publish their preparation, one preprocess.h5 per
shape with a detector's boxes already on its points, and write DIR/SHAPE.npz: the points and what
is known of them. `distill` trains on these files without rendering them or asking a teacher.

--parts names the parts in the order in which the files number them. The true labels in the files
are never read. A file that cannot be used is reported and left out."""
EXAMPLES = """\
  partdistill import-knowledge 03797390/ --category mug --parts "handle, cup" --out mugs/
  partdistill distill mugs/ --category mug --parts "handle, cup" --out my_mugs"""


def configure(parser: ArgumentParser) -> None:
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help="preprocess.h5, or folder of them")
    parser.add_argument("--parts", required=True, metavar="NAMES", help="part names in the files' order")
    parser.add_argument("--category", metavar="NAME", help="what the shapes are, for example mug")
    parser.add_argument("--up", choices=AXES, help="axis that points up in the files, if you know it")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder to write into")


def run(arguments: Namespace) -> Answer:
    """Read, check and write each file; those that cannot be used are named."""
    parts = split_names(arguments.parts)
    category = clean_category(arguments.category)
    check_inputs(arguments.files)
    check_folder(arguments.out)
    choose_device("cpu", "importing knowledge")
    from partdistill_ros.distillation.import_h5 import read_preprocess, require_h5py, shape_name
    from partdistill_ros.distillation.known_units import save_known
    from partdistill_ros.pointcloud.frames import parse_up

    require_h5py()
    up = None if arguments.up is None else parse_up(arguments.up)
    named = _by_name(arguments.files, shape_name)
    written: list[dict[str, Any]] = []
    left_out = LeftOut()
    for name, path in progress(named.items(), "import", len(named)):
        try:
            found = read_preprocess(path, parts, category, up)
            target = arguments.out / f"{name}.npz"
            save_known(target, found.scan, found.units)
        except PartDistillError as error:
            left_out(path, error)
            continue
        counts = {part: int((found.units.part == index).sum()) for index, part in enumerate(parts)}
        written.append(
            {
                "source": str(path),
                "file": str(target),
                "points": len(found.scan.points),
                "units": counts,
                "with_view": int((found.units.view >= 0).sum()),
                "contrary": found.contrary,
            }
        )
    if not written:
        reasons = left_out.reasons
        raise PartDistillError(f"none of {len(reasons)} files could be imported: {reasons[0]}")
    lost = [{"file": path, "reason": reason} for path, reason in left_out.found]
    record = {"out": str(arguments.out), "parts": parts, "category": category, "shapes": written, "left_out": lost}
    return Answer(record, _text(record))


def _by_name(paths: list[Path], name_of: Any) -> dict[str, Path]:
    """The files of `paths` (folders stand for every .h5 below) by their shape's name."""
    files = [file for path in paths for file in (sorted(path.rglob("*.h5")) if path.is_dir() else [path])]
    named: dict[str, Path] = {}
    for file in dict.fromkeys(files):
        other = named.setdefault(name_of(file), file)
        if other != file:
            raise PartDistillError(f"{other} and {file} are both named '{name_of(file)}': import them apart")
    if not named:
        raise PartDistillError(f"no .h5 file below {', '.join(map(str, paths))}: check the path")
    return named


def _text(record: dict[str, Any]) -> str:
    shapes = record["shapes"]
    totals = [f"{part} {sum(shape['units'][part] for shape in shapes)}" for part in record["parts"]]
    lines = [f"shapes written to {record['out']}: {len(shapes)}, units: {', '.join(totals)}"]
    if record["left_out"]:
        lines.append(f"{len(record['left_out'])} left out, named above")
    contrary = sum(shape["contrary"] for shape in shapes)
    if contrary:
        lines.append(f"{contrary} units have their confidence under another part than their own: check --parts' order")
    return "\n".join(lines)

# SPDX-License-Identifier: Apache-2.0
"""`partdistill reproduce`: the published tables, one command each, with the published numbers beside ours."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import TYPE_CHECKING

from partdistill_ros.cli.common import (
    AXES,
    DEVICES,
    Answer,
    check_folder,
    check_inputs,
    check_outside,
    choose_device,
    positive,
    say,
)
from partdistill_ros.errors import PartDistillError
from partdistill_ros.evaluation.tables import load_tables

if TYPE_CHECKING:
    from partdistill_ros.evaluation.reproduce import Job, Results, Run

SUMMARY = "the published tables, one command each"
DESCRIPTION = """\
Fill a table of the literature: a row a method, a column a category, class and instance mean, the
published numbers beside ours. It says beforehand what that will cost, keeps each cell in a file of
its own under OUT (a run that was stopped goes on when it is started again) and writes
OUT/table.html and OUT/table.json. A row that cannot be filled, for want of a teacher, of training
shapes or of generated ones, is left out with its reason. docs/reproduce.md: what to download.

Tables:
{tables}

DIR is a data set as it is downloaded, or a folder of labeled shapes, which has no training split:
--train names shapes to learn from.""".format(
    tables="\n".join(f"  {name:<18}{table.title}" for name, table in load_tables().items())
)
EXAMPLES = """\
  partdistill reproduce shapenetpart-clip --data SHAPENETPART/ --device cuda --out clip/ --estimate
  partdistill reproduce shapenetpart-glip --data PREPARED/ --encoder point_m2ae.pth --out glip/
  partdistill reproduce partnete --data PARTNETE/ --categories kettle --seeds 3 --out partnete/
  partdistill reproduce generated --data SHAPENETPART/ --generated GENERATED/ --out generated/
  partdistill reproduce shapenetpart-clip --data caps/ --up y --teacher mini --train procedural:60 \\
      --rows vote ours --out caps_mini/"""


def configure(parser: ArgumentParser) -> None:
    parser.add_argument("table", choices=tuple(load_tables()), metavar="TABLE", help="one of the tables above")
    parser.add_argument("--data", type=Path, required=True, metavar="DIR", help="data set or folder of labeled shapes")
    parser.add_argument("--out", type=Path, required=True, metavar="OUT", help="folder of cells and page")
    parser.add_argument("--teacher", metavar="T", help="instead of the table's, as in `evaluate --help`")
    parser.add_argument("--train", nargs="+", default=[], metavar="PATH", help="learn from these (or procedural:N)")
    parser.add_argument("--generated", metavar="DIR", help="generated shapes, DIR/CATEGORY/ each (or procedural:N)")
    parser.add_argument(
        "--meshes", type=Path, metavar="DIR", help="ShapeNetCore, for ShapeNetPart's shapes in `shapenetpart-mesh`"
    )
    parser.add_argument(
        "--encoder",
        type=Path,
        metavar="FILE",
        help="public Point-M2AE (.pth), frozen in the rows of the authors' rules",
    )
    parser.add_argument(
        "--pointclip-params", type=Path, metavar="FILE", help="best_param.py of PointCLIP V2's code, for its row"
    )
    parser.add_argument("--categories", nargs="+", default=[], metavar="C", help="some of the table's columns")
    parser.add_argument("--rows", nargs="+", default=[], metavar="WORD", help="rows whose name begins with a WORD")
    parser.add_argument("--seeds", type=positive, default=1, metavar="N", help="trainings of each student (1)")
    parser.add_argument("--epochs", type=positive, metavar="N", help="of each, instead of the usual ones")
    parser.add_argument("--shapes", type=positive, metavar="N", help="at most, of each category and split: for a trial")
    parser.add_argument("--up", choices=AXES, help="axis that points up in shapes whose files do not tell")
    parser.add_argument("--device", choices=DEVICES, default="auto", help="where networks run (auto)")
    parser.add_argument("--estimate", action="store_true", help="say what it would cost, and stop")


def run(arguments: Namespace) -> Answer:
    """Say what it costs, fill what is missing, write the page after every cell."""
    more = (arguments.meshes, arguments.encoder, arguments.pointclip_params)
    check_inputs([arguments.data, *(path for path in more if path is not None)])
    check_folder(arguments.out)
    check_outside(arguments.out, [arguments.data, *([arguments.meshes] if arguments.meshes else [])])
    device = choose_device(arguments.device, "filling a table")
    from partdistill_ros.evaluation.reproduce import cost_of, fill
    from partdistill_ros.evaluation.table_page import table_record, table_text, write_table

    job = run_of(arguments, device)
    cost = cost_of(job)
    if arguments.estimate:
        return Answer({**vars(cost), "hours": cost.hours}, cost.words())
    say(cost.words())
    left, total = cost.jobs[1], cost.jobs[1]

    def done(one: Job, words: str, results: Results) -> None:
        nonlocal left
        left -= 1
        say(f"{total - left} of {total}: {one.row.name}, {', '.join(one.categories)}, seed {one.seed}: {words}")
        if results.cells:
            write_table(job, results)

    results = fill(job, done)
    page = write_table(job, results)
    return Answer({**table_record(job, results), "page": str(page)}, f"{table_text(job, results)}\n{page}")


def run_of(arguments: Namespace, device: str) -> Run:
    """What the arguments ask for. Raises PartDistillError for data, rows or categories that there are not."""
    from partdistill_ros.evaluation.reproduce import Run
    from partdistill_ros.evaluation.table_data import TableData

    table = load_tables()[arguments.table]
    rows = [row for row in table.rows if not arguments.rows or row.name.startswith(tuple(arguments.rows))]
    if not rows:
        names = ", ".join(row.name for row in table.rows)
        raise PartDistillError(f"--rows {' '.join(arguments.rows)}: no row begins so; there are {names}")
    data = TableData(
        table,
        arguments.data,
        train=arguments.train,
        generated=arguments.generated,
        categories=arguments.categories,
        most=arguments.shapes,
        up=arguments.up,
        meshes=arguments.meshes,
    )
    return Run(
        table,
        data,
        arguments.out,
        arguments.teacher or table.teacher,
        tuple(range(arguments.seeds)),
        arguments.epochs,
        arguments.encoder,
        arguments.pointclip_params,
        device,
        tuple(rows),
    )

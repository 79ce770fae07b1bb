# SPDX-License-Identifier: Apache-2.0
"""A table of `partdistill reproduce` with a teacher of known quality instead of a network: do its rows come out in the
order in which they should?

    python benchmarks/controlled_tables.py shapenetpart-glip --data shapes/ --teacher controlled:box --out out/
"""

from __future__ import annotations

from dataclasses import replace

from controlled_teacher import chosen_teacher

from partdistill_ros.cli import reproduce
from partdistill_ros.cli.main import CommandParser
from partdistill_ros.evaluation.reproduce import Run, fill
from partdistill_ros.evaluation.table_page import table_text, write_table


def controlled(run: Run) -> Run:
    """The run with the teacher that its line names, `controlled:PRESET`."""
    make = chosen_teacher(run.teacher)
    return run if isinstance(make, str) else replace(run, make_teacher=make)


def main() -> None:
    """The command's own arguments."""
    parser = CommandParser(description=__doc__)
    reproduce.configure(parser)
    arguments = parser.parse_args()
    run = controlled(reproduce.run_of(arguments, "cpu"))
    results = fill(
        run, lambda job, words, _: print(f"{job.row.name}, {', '.join(job.categories)}: {words}", flush=True)
    )
    write_table(run, results)
    print(table_text(run, results))


if __name__ == "__main__":
    main()

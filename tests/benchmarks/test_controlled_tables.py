# SPDX-License-Identifier: Apache-2.0
"""A table with a teacher of known quality: it knows the truth of the scored shapes, and its cells are its own."""

from __future__ import annotations

import pytest

pytest.importorskip("torch", reason="torch: the extra 'train'")

from controlled_tables import controlled  # noqa: E402

from partdistill_ros.evaluation.reproduce import Run, fill  # noqa: E402
from partdistill_ros.evaluation.table_data import TableData  # noqa: E402
from partdistill_ros.evaluation.tables import load_tables  # noqa: E402
from partdistill_ros.io.save import save_scan  # noqa: E402
from partdistill_ros.pointcloud.scan import sample_surface  # noqa: E402
from partdistill_ros.synthetic.families import generate  # noqa: E402


def test_a_row_of_a_controlled_teacher(tmp_path):
    (tmp_path / "data").mkdir()
    save_scan(tmp_path / "data" / "mug.npz", sample_surface(generate("mug", 0), 1500))
    table = load_tables()["shapenetpart-glip"]
    rows = tuple(row for row in table.rows if row.name == "vote")
    data = TableData(table, tmp_path / "data")
    run = Run(table, data, tmp_path / "out", "controlled:pixel-independent", rows=rows)
    (cell,) = fill(controlled(run)).cells
    assert 0.1 < cell.scores[0].miou < 0.95
    again = fill(controlled(run))
    assert again.cells[0].seconds == cell.seconds, "the cell was read, not made"
    plain = Run(table, data, tmp_path / "out", "mini", rows=rows)
    assert controlled(plain) is plain

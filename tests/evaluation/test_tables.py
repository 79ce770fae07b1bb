# SPDX-License-Identifier: Apache-2.0
"""The declared tables: methods that exist, options that are known, numbers in per cent."""

from __future__ import annotations

import pytest

from partdistill_ros.distillation.config import BACKWARD
from partdistill_ros.evaluation.datasets import DATA_SETS
from partdistill_ros.evaluation.datasets.shapenetpart import CATEGORIES
from partdistill_ros.evaluation.methods.protocol import METHODS, TRAINED
from partdistill_ros.evaluation.tables import CLASS_MEAN, load_tables

TABLES = load_tables()


def test_the_tables_of_the_paper_are_there():
    assert set(TABLES) == {
        "shapenetpart-clip", "shapenetpart-glip", "shapenetpart-mesh", "generated", "partnete", "coseg"
    }  # fmt: skip


@pytest.mark.parametrize("name", TABLES)
def test_rows_name_what_exists(name):
    table = TABLES[name]
    assert len({row.name for row in table.rows}) == len(table.rows) and table.source and table.title
    assert set(table.data) <= {one.name for one in DATA_SETS} and table.metric in ("categories", "parts")
    for row in table.rows:
        assert row.method in METHODS and row.is_trained == (row.method in TRAINED)
        assert row.setting in ("reference", "zero-shot", "tta", "pre") and row.one_for in ("category", "all")
        assert row.backward in BACKWARD and row.augment in ("turned", "aligned")
        assert row.views_of in ("points", "mesh") and row.learns_from in ("train", "generated", "both")
        assert set(row.published) <= {CLASS_MEAN, *CATEGORIES} and all(0 < n < 100 for n in row.published.values())

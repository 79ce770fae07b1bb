# SPDX-License-Identifier: Apache-2.0
"""Columns line up, numbers to the right."""

from partdistill_ros.visualization.tables import aligned


def test_columns_line_up():
    lines = aligned([("name", "n"), ("cup", "7"), ("a handle", "1234")]).splitlines()
    assert lines == ["name         n", "--------  ----", "cup          7", "a handle  1234"]

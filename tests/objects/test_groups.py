# SPDX-License-Identifier: Apache-2.0
"""Points are put together by their label, however many labels there are."""

from __future__ import annotations

import numpy as np
import pytest

from partdistill_ros.objects.groups import Groups, label_order


@pytest.mark.parametrize("most", [5, 2**15 - 1, 2**15, 2**20])
def test_labels_stand_in_order_and_those_alike_as_they_were(most):
    label = np.array([most, 0, 3, 0, most, 3])
    assert label_order(label).tolist() == [1, 3, 2, 5, 0, 4]


def test_each_group_has_its_points_and_its_range():
    groups = Groups.of(np.array([7, 2, 7, 2, 2]))
    assert groups.number.tolist() == [2, 7]
    assert [rows.tolist() for rows in groups.rows()] == [[1, 3, 4], [0, 2]]
    assert groups.count().tolist() == [3, 2]
    assert groups.extent(np.array([1.0, 5, 4, 9, 6])).tolist() == [4.0, 3.0]


def test_no_points_are_no_groups():
    assert Groups.of(np.zeros(0, np.int64)).rows() == []

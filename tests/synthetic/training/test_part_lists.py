# SPDX-License-Identifier: Apache-2.0
"""The shipped lists of parts are those of the drawn objects, but for the ones that no training sees."""

from __future__ import annotations

import json

from partdistill_ros.inference.part_lists import DEFAULT_PATH
from partdistill_ros.synthetic.training.everyday_shapes import HELD_OUT
from partdistill_ros.synthetic.training.part_lists import part_lists


def test_the_shipped_lists_are_of_today():
    lists = part_lists()
    assert json.loads(DEFAULT_PATH.read_bytes()) == json.loads(json.dumps(lists)), "run synthetic.training.part_lists"
    assert not set(lists) & {*HELD_OUT, "assembly"}
    assert "grip" in lists["hammer"]["handle"][0]

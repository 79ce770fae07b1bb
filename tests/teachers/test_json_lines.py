# SPDX-License-Identifier: Apache-2.0
"""Line numbers of the entries of a JSON list."""

import json

import pytest

from partdistill_ros.teachers.json_lines import entry_lines

ENTRIES = [{"a": [1, {"b": "],}\n".strip()}]}, 7, "x", None, []]


@pytest.mark.parametrize("indent", [None, 0, 2])
def test_lines_are_those_of_a_reader(indent):
    for whole, field in ((ENTRIES, "any"), ({"images": [1, 2], "annotations": ENTRIES, "z": {}}, "annotations")):
        text = "\n \n" + json.dumps(whole, indent=indent)
        lines = entry_lines(text, field)
        assert len(lines) == len(ENTRIES)
        rows = text.split("\n")
        assert "{" in rows[lines[0] - 1] and "7" in rows[lines[1] - 1] and "x" in rows[lines[2] - 1]
        assert "null" in rows[lines[3] - 1] and "[]" in rows[lines[4] - 1]


def test_no_such_list():
    assert entry_lines('{"images": []}', "annotations") == [] and entry_lines("3", "annotations") == []
    assert entry_lines('{"annotations": 5}', "annotations") == [] and entry_lines("[]", "x") == []

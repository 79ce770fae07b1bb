# SPDX-License-Identifier: Apache-2.0
"""Records follow the command line's contract; tables show every number that was asked for."""

import json

import pytest

from partdistill_ros.evaluation.evaluate import evaluate
from partdistill_ros.evaluation.methods.constant import Constant
from partdistill_ros.evaluation.score_tables import category_table, comparison_table, record
from partdistill_ros.evaluation.shapes import prepare


@pytest.fixture
def constant(make_post):
    shapes = prepare([make_post(points=4000, share=0.25), make_post("lamp_1", 0.75, points=4000, category="lamp")])
    return evaluate(shapes, Constant.of(shapes))


def test_record_is_strict_json_with_the_contracted_keys(constant):
    content = json.loads(json.dumps(record(constant), allow_nan=False))
    assert {"protocol", "method", "setting", "overall", "instance", "present", "categories", "shapes"} <= set(content)
    assert content["method"] == "constant" and content["shapes"] == 2
    assert set(content["categories"]) == {"post", "lamp"}
    assert content["overall"] == pytest.approx(sum(content["categories"].values()) / 2, abs=0.01)
    assert 30 < content["overall"] < 45, "per cent: three quarters of the points right, half of the parts missed"


def test_tables_show_the_numbers(constant):
    table = category_table(constant)
    for word in ("post", "lamp", "overall", "instance", "all points", f"{constant.sampled.overall:.1f}"):
        assert word in table
    both = comparison_table([constant, constant])
    assert both.splitlines()[0].split() == ["category", "shapes", *2 * ["constant,", "reference"]]
    assert f"{constant.sampled.overall:.1f} ({constant.sampled.present:.1f})" in both

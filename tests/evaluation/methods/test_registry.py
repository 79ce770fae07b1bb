# SPDX-License-Identifier: Apache-2.0
"""Methods by name, and where their collections come from."""

from __future__ import annotations

import pytest

from partdistill_ros.errors import PartDistillError
from partdistill_ros.evaluation.evaluate import evaluate
from partdistill_ros.evaluation.methods.distilled_student import MethodConfig
from partdistill_ros.evaluation.methods.protocol import METHODS, parse_methods
from partdistill_ros.evaluation.methods.registry import collect, make_method
from partdistill_ros.evaluation.shapes import prepare
from partdistill_ros.synthetic.families import generate


@pytest.fixture(scope="module")
def mugs():
    return prepare([generate("mug", seed) for seed in range(2)])


def test_every_name_makes_a_method(mugs):
    for name in METHODS:
        assert make_method(name, mugs, MethodConfig()).setting


def test_a_controlled_teacher_votes_and_gives_no_features(mugs):
    setting = MethodConfig("controlled:pixel")
    score = evaluate(mugs, make_method("vote", mugs, setting)).sampled.overall
    assert 5 < score < 90
    with pytest.raises(PartDistillError, match="gives no features"):
        make_method("features", mugs, setting)


def test_unknown_presets_and_methods_are_refused(mugs):
    with pytest.raises(PartDistillError, match="pixel-independent"):
        make_method("vote", mugs, MethodConfig("controlled:guess"))
    with pytest.raises(PartDistillError, match="mesh-scores"):
        parse_methods("vote,oracle")


def test_procedural_shapes_of_every_evaluated_category(mugs):
    both = [*mugs, *prepare([generate("bottle", 0)])]
    found = collect(["procedural:2"], both)
    assert [shape.question.category for shape in found] == ["bottle"] * 2 + ["mug"] * 2
    with pytest.raises(PartDistillError, match="procedural:50"):
        collect(["procedural"], mugs)

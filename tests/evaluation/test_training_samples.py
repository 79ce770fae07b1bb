# SPDX-License-Identifier: Apache-2.0
"""Evaluated shapes as collections: asked about like scans, true where the truth is asked for."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from controlled_teacher import ControlledTeacher

from partdistill_ros.errors import PartDistillError
from partdistill_ros.evaluation.shapes import prepare
from partdistill_ros.evaluation.training_samples import posed, teacher_samples, true_samples
from partdistill_ros.pointcloud.scan import sample_surface
from partdistill_ros.synthetic.families import generate


@pytest.fixture(scope="module")
def mugs():
    return prepare([generate("mug", seed) for seed in range(2)])


def test_members_are_upright_clouds_with_the_teachers_units(mugs):
    teacher = ControlledTeacher("pixel")
    samples = teacher_samples(mugs, teacher)
    for sample, shape in zip(samples, mugs, strict=True):
        assert sample.name == shape.question.name and sample.units.parts == shape.question.parts
        assert np.linalg.norm(sample.points, axis=1).max() == pytest.approx(1, abs=1e-5)
        assert len(sample.units) > 10 and not sample.up_unknown and not sample.boxes and sample.views is not None


def test_other_teachers_never_see_labels(mugs):
    class Nosy:
        name, key, kind, size = "nosy", "nosy", "pixel", 32

        def answer(self, rendering, parts, category):
            raise PartDistillError("asked with nothing but a rendering")

    with pytest.raises(PartDistillError, match="nothing but a rendering"):
        teacher_samples(mugs, Nosy())


def test_true_units_are_the_labels(mugs):
    for sample, shape in zip(true_samples(mugs), mugs, strict=True):
        votes = sample.units.votes(sample.units.score[sample.units.owner()])
        share = np.bincount(votes.argmax(1), minlength=2) / len(votes)
        true = np.bincount(shape.truth[shape.truth >= 0], minlength=2) / len(shape.truth)
        np.testing.assert_allclose(share, true, atol=0.03)


@pytest.mark.parametrize("missing", ["labels", "names"])
def test_a_shape_of_which_no_label_survives_is_refused_by_name(missing):
    mug = sample_surface(generate("mug", 0), 3000)
    bare = {"labels": {"point_labels": np.full(3000, -1, np.int16)}, "names": {"parts": ("rim", "foot")}}[missing]
    (shape,) = prepare([mug])
    shape = replace(shape, labeled=mug.with_(name="odd", **bare), question=replace(shape.question, name="odd"))
    with pytest.raises(PartDistillError, match="odd: none of its points is labeled"):
        true_samples([shape])


def test_an_unknown_up_becomes_that_of_rest(mugs):
    question = prepare([generate("pliers", 0).with_(up=None)])[0].question
    up = posed(question).up
    assert up is not None and abs(up[2]) > 0.95
    assert teacher_samples(prepare([generate("pliers", 0).with_(up=None)]), _told())[0].up_unknown


def _told() -> ControlledTeacher:
    return ControlledTeacher("box")

# SPDX-License-Identifier: Apache-2.0
"""Evaluated shapes as collections: asked about like scans, true where the truth is asked for."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from controlled_teacher import ControlledTeacher

from partdistill_ros.distillation.known_views import box_purity
from partdistill_ros.errors import PartDistillError
from partdistill_ros.evaluation import training_samples
from partdistill_ros.evaluation.methods.vote import PreparedVoteMethod
from partdistill_ros.evaluation.shapes import prepare
from partdistill_ros.evaluation.training_samples import posed, prepared_samples, teacher_samples, true_samples
from partdistill_ros.pointcloud.scan import Scan, sample_surface
from partdistill_ros.synthetic.families import generate
from partdistill_ros.teachers.protocol import PixelAnswer


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


def test_views_may_be_taken_of_the_mesh_itself(mugs):
    seen = []

    class Watcher:
        name, key, kind, size = "watcher", "watcher", "pixel", 32

        def answer(self, rendering, parts, category):
            seen.append((rendering.of, rendering.pixel.shape[1]))
            return PixelAnswer(np.ones((len(rendering), len(parts), 4, 4), np.float32) / len(parts))

    samples = [teacher_samples(mugs[:1], Watcher(), views_of=kind)[0] for kind in ("points", "mesh")]
    assert seen == [("points", 8192), ("faces", 8192)]
    np.testing.assert_array_equal(samples[0].points, samples[1].points)
    assert samples[1].units.n_points == 8192


def test_prepared_shapes_bring_their_boxes(tmp_path):
    from tests.evaluation.datasets.test_prepared import write_shape

    scans = []
    for name, boxes in (("a1", 2), ("c3", 0)):
        write_shape(tmp_path, "mug", name, boxes=boxes)
        points = np.random.default_rng(0).normal(size=(30, 3)).astype(np.float32)
        labels = (np.arange(30) % 2).astype(np.int16)
        scans.append(Scan(points, point_labels=labels, parts=("handle", "cup"), category="mug", name=f"mug_{name}"))
    shapes = prepare(scans, points=20)
    first, second = prepared_samples(shapes, tmp_path)
    assert first.boxes and first.units.part.tolist() == [0, 1] and len(first.points) == 30
    assert len(second.units) == 0, "no box was found"
    voted, none = PreparedVoteMethod(tmp_path).answer([shape.question for shape in shapes])
    assert set(np.unique(voted)) <= {0, 1} and (none == -1).all()


def test_prepared_boxes_are_of_the_public_views_where_these_explain_them(tmp_path, monkeypatch):
    from tests.distillation.test_known_views import PARTS, TO_Y_UP, authors_views, boxed

    mug = sample_surface(generate("mug", 0), 3000)
    mug = mug.with_(points=(mug.points @ TO_Y_UP.T).astype(np.float32), normals=None, up=np.array([0, 1, 0], "f4"))
    units = boxed(mug, authors_views(mug.points))
    monkeypatch.setattr(training_samples, "prepared_units", lambda *_: units)
    shapes = prepare([mug.with_(parts=mug.parts, category="mug")])
    (sample,) = prepared_samples(shapes, tmp_path)
    assert sample.box_views is not None and units.parts == PARTS
    assert box_purity(sample.points, sample.box_views, units)[np.arange(len(units)), units.view].mean() > 0.6


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

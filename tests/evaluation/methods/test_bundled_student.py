# SPDX-License-Identifier: Apache-2.0
"""A bundle is asked for the parts of the shape's category, upright where up is known."""

import numpy as np
import pytest

from partdistill_ros.errors import PartDistillError
from partdistill_ros.evaluation.evaluate import evaluate
from partdistill_ros.evaluation.methods.bundled_student import BundleMethod
from partdistill_ros.evaluation.shapes import prepare
from partdistill_ros.pointcloud.scan import Mesh
from partdistill_ros.synthetic.drawing.primitives import rotation


def lying(scan, angle=np.pi / 2):
    """The same shape tipped over, `up` with it."""
    turn = rotation((1, 0, 0), angle)
    mesh = Mesh((scan.mesh.vertices @ turn.T).astype(np.float32), scan.mesh.faces, scan.mesh.face_labels)
    up = None if scan.up is None else (turn @ scan.up).astype(np.float32)
    return scan.with_(points=mesh.vertices, mesh=mesh, up=up)


def test_the_toy_student_solves_the_post_it_was_made_for(toy_segmenter, make_post):
    shapes = prepare([make_post("a"), lying(make_post("b"), 2.0), make_post("c", points=3000)])
    result = evaluate(shapes, BundleMethod(toy_segmenter))
    assert result.method == "toy" and result.setting == "pre"
    assert result.sampled.overall > 98
    assert result.every.overall > 98
    assert evaluate(shapes, BundleMethod(toy_segmenter, votes=2)).sampled.overall > 98


def test_more_shapes_than_a_batch_and_several_categories_keep_their_order(toy_segmenter, make_post):
    posts = [make_post(f"p{index}", points=2100) for index in range(9)]
    pots = [make_post("pot", points=2100, category="pot", parts=("lid", "bottom"))]
    result = evaluate(prepare(posts + pots), BundleMethod(toy_segmenter))
    assert result.sampled.categories.keys() == {"post", "pot"}
    assert min(score.miou for score in result.scores) > 0.97


def test_an_unknown_up_is_left_to_the_segmenter(toy_segmenter, make_post):
    # The toy is as confident upside down: what matters is that up is not taken for +z of the file.
    scan = make_post(up=None)
    questions = [shape.question for shape in prepare([scan])]
    assert questions[0].cloud.up is None
    (labels,) = BundleMethod(toy_segmenter).answer(questions)
    assert set(np.unique(labels)) == {0, 1}


def test_a_name_that_the_student_cannot_know_is_an_error(toy_segmenter, make_post):
    shapes = prepare([make_post(parts=("spout", "bottom"))])
    with pytest.raises(PartDistillError, match="spout"):
        evaluate(shapes, BundleMethod(toy_segmenter))

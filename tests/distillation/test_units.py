# SPDX-License-Identifier: Apache-2.0
"""Units from pixels and boxes, soft labels and class weights against the formulas of the paper."""

import numpy as np
import pytest
from python_steps import python_steps

from partdistill_ros.distillation.units import (
    KnowledgeUnits,
    class_weights,
    covered_counts,
    soft_labels,
    units_from_answer,
    units_from_boxes,
    units_from_pixels,
)
from partdistill_ros.errors import PartDistillError
from partdistill_ros.rendering.cameras import ten_views
from partdistill_ros.rendering.rasterize import Rendering, render_points
from partdistill_ros.teachers.protocol import BoxAnswer, PixelAnswer

PARTS = ("handle", "cup")


def one_view(pixel, height=4, width=6, index=None):
    """A rendering of a single view in which point n is seen in pixel[n]."""
    shape = (1, height, width)
    shown = np.full(shape, -1, np.int32) if index is None else index
    located = None if pixel is None else np.array([pixel], np.int32)
    return Rendering(np.zeros((*shape, 3), np.uint8), np.ones(shape, np.float32), shown, pixel=located)


def units(part, score, samples, n_points, parts=PARTS):
    return KnowledgeUnits(
        np.array(part, np.int16),
        np.array(score, np.float32),
        np.zeros(len(part), np.int16),
        np.cumsum([0, *map(len, samples)]).astype(np.int64),
        np.array([point for unit in samples for point in unit], np.int32),
        n_points,
        parts,
    )


def test_regions_of_one_part_become_separate_units():
    scores = np.zeros((1, 2, 4, 6), np.float32)
    scores[0, 0, :2, :2] = 0.9  # a handle top left
    scores[0, 0, 3, 5] = 0.5  # another bottom right
    scores[0, 1, :3, 3:5] = [[0.6, 0.8]] * 3  # a cup between
    rendering = one_view([0, 7, 3, 4, 23, 12, -1])
    found = units_from_pixels(PixelAnswer(scores), rendering, 7, PARTS)
    as_sets = {
        (int(p), round(float(s), 4), tuple(found.points_of(k)))
        for k, (p, s) in enumerate(zip(found.part, found.score, strict=True))
    }
    assert as_sets == {(0, 0.9, (0, 1)), (0, 0.5, (4,)), (1, 0.7, (2, 3))}
    assert found.coverage().tolist() == [1, 1, 1, 1, 1, 0, 0]


def test_regions_hold_together_over_corners():
    scores = np.zeros((1, 1, 4, 6), np.float32)
    scores[0, 0, [0, 1, 2], [0, 1, 2]] = 1
    found = units_from_pixels(PixelAnswer(scores), one_view([0, 7, 14]), 3, ("handle",))
    assert len(found) == 1 and found.points_of(0).tolist() == [0, 1, 2]


def test_the_likelier_part_takes_the_pixel():
    scores = np.zeros((1, 2, 4, 6), np.float32)
    scores[0, 0], scores[0, 1] = 0.4, 0.45
    found = units_from_pixels(PixelAnswer(scores), one_view([0, 5]), 2, PARTS)
    assert found.part.tolist() == [1] and found.score[0] == pytest.approx(0.45)


def test_an_answer_of_half_the_resolution_is_spread():
    scores = np.zeros((1, 2, 2, 3), np.float32)
    scores[0, 0, 0, 0], scores[0, 1, 1, 2] = 1, 1
    found = units_from_pixels(PixelAnswer(scores), one_view([0, 7, 8, 23, 16]), 5, PARTS)
    assert [found.points_of(k).tolist() for k in range(2)] == [[0, 1], [3, 4]]


def test_without_located_points_the_index_map_decides():
    index = np.full((1, 4, 6), -1, np.int32)
    index[0, 0, :3], index[0, 3, 3:] = 2, 0
    scores = np.zeros((1, 2, 4, 6), np.float32)
    scores[0, 0, 0], scores[0, 1, 3] = 1, 1
    found = units_from_pixels(PixelAnswer(scores), one_view(None, index=index), 4, PARTS)
    assert [(int(found.part[k]), found.points_of(k).tolist()) for k in range(2)] == [(0, [2]), (1, [0])]


def test_an_answer_for_other_views_or_parts_is_refused():
    with pytest.raises(PartDistillError, match="2 views and 1 parts"):
        units_from_pixels(PixelAnswer(np.zeros((2, 1, 4, 6), np.float32)), one_view([0]), 1, PARTS)
    with pytest.raises(PartDistillError, match="of 1 points, not of 3"):
        units_from_pixels(PixelAnswer(np.zeros((1, 2, 4, 6), np.float32)), one_view([0]), 3, PARTS)


def boxes(*rows):
    return BoxAnswer(
        np.array([row[0] for row in rows], np.float32).reshape(-1, 4),
        np.array([row[1] for row in rows], np.int16),
        np.array([row[2] for row in rows], np.float32),
        np.zeros(len(rows), np.int16),
    )


def test_a_box_holds_the_visible_points_inside():
    rendering = one_view([0, 1, 6, 7, 23, -1])
    found = units_from_boxes(boxes(([0, 0, 2, 1], 1, 0.7), ([1, 0, 2, 2], 0, 0.4)), rendering, 6, PARTS)
    assert [found.points_of(k).tolist() for k in range(2)] == [[0, 1], [1, 3]]
    assert found.part.tolist() == [1, 0] and found.score.tolist() == pytest.approx([0.7, 0.4])


def test_boxes_of_the_whole_object_and_empty_boxes_are_dropped():
    pixel = list(range(24)) * 5
    answer = boxes(([0, 0, 6, 4], 0, 1), ([0, 0, 6, 3], 1, 1), ([20, 20, 30, 30], 1, 1))
    found = units_from_boxes(answer, one_view(pixel), 120, PARTS)
    assert found.part.tolist() == [1] and found.sizes().tolist() == [90]
    almost = [0] * 98 + [23] * 2
    assert len(units_from_boxes(boxes(([0, 0, 1, 1], 0, 1)), one_view(almost), 100, PARTS)) == 0
    assert len(units_from_boxes(boxes(([0, 0, 1, 1], 0, 1)), one_view(almost[1:]), 99, PARTS)) == 1


def test_soft_labels_follow_the_formula():
    rng = np.random.default_rng(0)
    samples = [rng.choice(30, size, replace=False) for size in (5, 12, 9, 20)]
    part, score = [0, 1, 1, 2], [0.9, 0.4, 0.8, 0.3]
    given = units(part, score, samples, 40, ("a", "b", "c"))
    worth = np.array([1.5, 2.0, 1.0], np.float32)
    expected = np.zeros((40, 3))
    for point in range(40):
        own = [k for k in range(4) if point in samples[k]]
        for k in own:
            expected[point, part[k]] += worth[part[k]] * score[k] / max(1, len(own))
    np.testing.assert_allclose(soft_labels(given, worth), expected, rtol=1e-5)
    assert (soft_labels(given, worth)[30:] == 0).all()


def test_votes_add_up_over_the_units_of_a_point():
    given = units([0, 1, 0], [1, 1, 1], [[0, 1], [1], [1, 3]], 4)
    votes = given.votes(np.array([0.5, 0.25, 0.75, 0.125, 1.0]))
    assert votes.tolist() == [[0.5, 0], [0.375, 0.75], [0, 0], [1, 0]] and votes.dtype == np.float32


def test_either_kind_of_answer_gives_units():
    scores = np.zeros((1, 2, 4, 6), np.float32)
    scores[0, 1, 0, :2] = 0.7
    rendering = one_view([0, 1, 6])
    for answer in (PixelAnswer(scores), boxes(([0, 0, 2, 1], 1, 0.7))):
        found = units_from_answer(answer, rendering, 3, PARTS)
        assert found.points_of(0).tolist() == [0, 1] and found.score[0] == pytest.approx(0.7)


def test_class_weights_follow_the_formula():
    given = units([0, 1, 1], [1, 1, 1], [range(60), range(60, 70), range(65, 75)], 100)
    assert covered_counts(given).tolist() == [60, 15]
    expected = [1, 1 + np.log(75 / (2 * 15)) / np.log(4)]
    np.testing.assert_allclose(class_weights(given, 2), expected, rtol=1e-5)
    rare = units([0, 1], [1, 1], [range(9999), [9999]], 10000)
    assert class_weights(rare, 2).tolist() == [1, 4]


def test_class_weights_of_a_collection_add_up():
    first, second = units([0], [1], [range(30)], 50), units([1], [1], [range(10)], 50)
    expected = [1, 1 + np.log(40 / 20) / np.log(4)]
    np.testing.assert_allclose(class_weights(iter([first, second]), 2), expected, rtol=1e-5)


def test_no_units_give_no_labels():
    empty = units([], [], [], 10)
    assert np.isfinite(class_weights(empty, 2)).all()
    assert soft_labels(empty, class_weights(empty, 2)).tolist() == np.zeros((10, 2)).tolist()


def test_new_scores_keep_the_rest():
    given = units([0, 1], [1, 1], [[0, 1], [2]], 5)
    graded = given.with_scores(np.array([0.25, 0.5]))
    assert graded.score.tolist() == [0.25, 0.5] and graded.indices is given.indices
    assert graded.owner().tolist() == [0, 0, 1]


def test_arrays_that_do_not_fit_are_refused():
    for part, samples, n_points in (([2], [[0]], 5), ([0], [[5]], 5), ([-1], [[0]], 5)):
        with pytest.raises(PartDistillError, match="do not fit together"):
            units(part, [1], samples, n_points)


def test_ten_views_of_a_ball_cover_it_without_a_step_of_python_a_point():
    points = np.random.default_rng(0).normal(size=(10000, 3)).astype(np.float32)
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    rendering = render_points(points, ten_views(), 224)
    seen = np.isfinite(rendering.depth)
    band = (np.arange(224) // 16 % 4)[:, None] == np.arange(4)[:, None, None]
    scores = (seen[:, None] * np.where(band, 0.7, 0.1)).astype(np.float32)
    found = []

    def learn():
        found.append(units_from_pixels(PixelAnswer(scores), rendering, 10000, ("a", "b", "c", "d")))
        soft_labels(found[0], class_weights(found[0], 4))

    assert python_steps(learn) < 50_000, "some for each view and region, none for each of 10,000 points in ten views"
    assert (found[0].coverage() > 0).mean() > 0.9

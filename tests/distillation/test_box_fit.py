# SPDX-License-Identifier: Apache-2.0
"""Boxes on a wall of points that one camera faces, whose overlaps can be worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from partdistill_ros.distillation.box_fit import (
    best_fitting_parts,
    box_fit,
    box_fits,
    count_visible,
    specificity_weights,
)
from partdistill_ros.distillation.units import KnowledgeUnits
from partdistill_ros.rendering.cameras import orbit_views

FRONT = orbit_views([0], [0])  # seen from +x, +y to the right, +z up
SIDE = np.linspace(-0.8, 0.8, 41)
WALL = np.stack([np.zeros(41 * 41), *(grid.ravel() for grid in np.meshgrid(SIDE, SIDE))], 1).astype(np.float32)


def within(low: float, high: float) -> np.ndarray:
    """Rows of the wall's points from `low` to `high` along y, at all heights."""
    return np.flatnonzero((WALL[:, 1] > low - 1e-3) & (WALL[:, 1] < high + 1e-3))


def units(*held: np.ndarray, part: int = 1, view: int = 0, points: int = len(WALL)) -> KnowledgeUnits:
    return KnowledgeUnits(
        part=np.full(len(held), part, np.int16),
        score=np.ones(len(held), np.float32),
        view=np.full(len(held), view, np.int16),
        indptr=np.cumsum([0, *map(len, held)]).astype(np.int64),
        indices=np.concatenate(held).astype(np.int32),
        n_points=points,
        parts=("handle", "cup"),
    )


def labels(*held: np.ndarray) -> np.ndarray:
    given = np.zeros(len(WALL), np.int64)
    given[np.concatenate(held)] = 1
    return given


def test_the_same_points_fit_wholly_and_half_of_them_by_half() -> None:
    left, half = within(-0.8, 0), within(-0.8, -0.4)
    found = box_fit(WALL, FRONT, units(left, half), labels(left))
    np.testing.assert_allclose(found, [1, 0.5], atol=1e-5)
    assert found.dtype == np.float32


def test_boxes_that_overlap_in_part() -> None:
    found = box_fit(WALL, FRONT, units(within(-0.4, 0.4)), labels(within(0, 0.8)))
    np.testing.assert_allclose(found, [1 / 3], atol=1e-5)


def test_a_box_is_held_against_every_part() -> None:
    left, right = within(-0.8, 0), within(0.04, 0.8)
    found = box_fits(WALL, FRONT, units(left, right), labels(right))
    assert found.shape == (2, 2)
    np.testing.assert_allclose(np.diag(found), 1, atol=1e-5)
    np.testing.assert_allclose([found[0, 1], found[1, 0]], 0, atol=0.1)
    np.testing.assert_array_equal(box_fit(WALL, FRONT, units(left, right), labels(right)), found[:, 1])
    assert best_fitting_parts(WALL, FRONT, units(left, right), labels(right)).tolist() == found.argmax(1).tolist()
    assert best_fitting_parts(WALL, FRONT, units(left), np.full(len(WALL), -1)).tolist() == [-1], "none has a point"


def test_boxes_side_by_side_do_not_fit() -> None:
    assert box_fit(WALL, FRONT, units(within(0.2, 0.8)), labels(within(-0.8, -0.2))).tolist() == [0]


def test_a_part_that_no_point_has_fits_nothing() -> None:
    assert box_fit(WALL, FRONT, units(within(-0.8, 0)), np.zeros(len(WALL), int)).tolist() == [0]


def test_each_of_two_regions_fits_and_so_do_both_together() -> None:
    left, right = within(-0.8, -0.4), within(0.4, 0.8)
    found = box_fit(WALL, FRONT, units(left, right, within(-0.8, 0.8), within(-0.8, 0)), labels(left, right))
    np.testing.assert_allclose(found, [1, 1, 1, 0.5], atol=1e-5)


def test_a_single_point_that_strays_does_not_spoil_the_region() -> None:
    left = within(-0.8, -0.4)
    stray = np.flatnonzero((WALL[:, 1] > 0.79) & (WALL[:, 2] > 0.79))
    np.testing.assert_allclose(box_fit(WALL, FRONT, units(left), labels(left, stray)), [1], atol=1e-5)


def test_a_unit_of_no_known_view_gets_the_share_that_agrees() -> None:
    rows = np.concatenate([within(-0.8, -0.6)[:30], within(0.6, 0.8)[:10]])
    given = units(rows, np.zeros(0, int), view=-1)
    np.testing.assert_allclose(box_fit(WALL, FRONT, given, labels(within(-0.8, 0))), [0.75, 0])


def test_hidden_points_make_no_box() -> None:
    behind = WALL[within(-0.2, 0.2)] - np.float32([0.2, 0, 0])
    points = np.concatenate([WALL, behind])
    given = np.concatenate([np.zeros(len(WALL), int), np.ones(len(behind), int)])
    unit = units(within(-0.2, 0.2), points=len(points))
    assert box_fit(points, FRONT, unit, given).tolist() == [0]
    assert box_fit(points, orbit_views([0], [180]), unit, given)[0] == pytest.approx(0.9, abs=0.1)


def test_views_are_told_apart() -> None:
    # From +y the wall is a line: the box of any part of it has no area, and no overlap.
    both = orbit_views([0, 0], [0, 90])
    left = within(-0.8, 0)
    assert box_fit(WALL, both, units(left, view=1), labels(left))[0] < 1e-3
    np.testing.assert_allclose(box_fit(WALL, both, units(left, view=0), labels(left)), [1], atol=1e-5)


def test_a_view_shows_what_nothing_hides() -> None:
    behind = WALL - np.float32([0.2, 0, 0])
    counts = count_visible(np.concatenate([WALL, behind[within(-0.2, 0.2)]]), orbit_views([0, 0], [0, 180]))
    assert counts.shape == (2,) and counts[0] == len(WALL)
    assert 0.6 * len(WALL) < counts[1] - len(within(-0.2, 0.2)) < 0.85 * len(WALL), "a quarter of the wall is hidden"


def sized(sizes: list[int], view: list[int]) -> KnowledgeUnits:
    """Boxes of so many points each."""
    count = len(sizes)
    indices = np.concatenate([np.arange(size) for size in sizes] or [np.zeros(0)]).astype(np.int32)
    return KnowledgeUnits(
        np.zeros(count, np.int16), np.full(count, 0.5, np.float32), np.array(view, np.int16),
        np.cumsum([0, *sizes]).astype(np.int64), indices, 120, ("handle", "cup"),
    )  # fmt: skip


def test_small_boxes_count_for_more_and_nearly_everything_for_nearly_nothing() -> None:
    # of the 100 points that the view shows: all but one, a quarter, a tenth, all
    weights = specificity_weights(sized([99, 25, 10, 100], [0] * 4), np.array([100]))
    np.testing.assert_allclose(weights, [0.2 * 0.99**-0.7, 0.25**-0.7, 5, 0], rtol=1e-4)


def test_boxes_of_unknown_views_weigh_one() -> None:
    weights = specificity_weights(sized([50, 20], [-1, 1]), np.array([0, 40]))
    np.testing.assert_allclose(weights, [1, 0.5**-0.7], rtol=1e-5)
    assert specificity_weights(sized([50, 20], [-1, -1]), np.zeros(0, int)).tolist() == [1, 1]
    assert len(specificity_weights(sized([], []), np.zeros(0, int))) == 0

# SPDX-License-Identifier: Apache-2.0
"""Vessel profiles, cross-sections and handles."""

import numpy as np
import pytest

from partdistill_ros.synthetic.drawing.vessel import (
    LOOPS,
    between,
    cavity,
    loop_handle,
    pick,
    radius_at,
    resample,
    round_foot,
    round_section,
    rounded,
)

PROFILE = np.array([(0.8, 0.0), (1.0, 1.0), (0.9, 2.0)])


def test_radius_is_interpolated():
    assert np.isclose(radius_at(PROFILE, 0.5), 0.9)


def test_between_keeps_inner_points_and_cuts_the_ends():
    piece = between(PROFILE, 0.5, 1.5)
    assert np.allclose(piece, [(0.9, 0.5), (1.0, 1.0), (0.95, 1.5)])


def test_a_cavity_stays_inside_the_wall_and_ends_on_the_axis():
    inside = cavity(PROFILE, wall=0.1, floor=0.2)
    assert (inside[:-2, 0] <= radius_at(PROFILE, inside[:-2, 1]) - 0.1 + 1e-9).all()
    assert inside[-1, 0] == 0 and inside[-1, 1] > 0
    assert (np.diff(inside[:, 1]) <= 0).all()


def test_a_rounded_foot_starts_on_the_axis_and_meets_the_wall():
    foot = round_foot(PROFILE, 0.2)
    assert np.allclose(foot[0], (0, 0))
    assert (np.diff(foot[:, 1]) >= -1e-9).all()
    assert (foot[:, 0] <= radius_at(PROFILE, np.maximum(foot[:, 1], 0.2)) + 1e-9).all()


@pytest.mark.parametrize("seed", range(40))
def test_every_cross_section_has_radius_one_on_the_handle_side(seed):
    section = round_section(np.random.default_rng(seed), 48, odd=1.0)
    after = np.roll(section, -1, 0)
    rising = (section[:, 1] < 0) & (after[:, 1] >= 0)
    share = -section[rising, 1] / (after - section)[rising, 1]
    crossing = section[rising, 0] + share * (after - section)[rising, 0]
    assert np.allclose(crossing, 1, atol=0.02) and len(crossing) == 1


@pytest.mark.parametrize("kind", sorted(LOOPS))
def test_handles_stay_outside_but_for_their_ends(kind):
    for seed in range(10):
        rng = np.random.default_rng(seed)
        vertices, _ = loop_handle(rng, PROFILE, 1.6, 0.4, 0.6, 0.06, embed=0.05, kinds={kind: 1})
        assert np.isfinite(vertices).all()
        assert vertices[:, 0].max() > 1.3
        # sunk by the embedding and by half the section where the handle lies along the wall
        assert vertices[:, 0].min() > 0.8 - 0.05 - 0.13


def test_rounding_keeps_the_ends_and_cuts_the_corner():
    path = rounded([(0, 0), (1, 0), (1, 1)], 0.3, 50)
    assert np.allclose(path[0], (0, 0)) and np.allclose(path[-1], (1, 1))
    assert np.linalg.norm(path - [1, 0], axis=1).min() > 0.05


def test_resampling_is_even():
    steps = np.linalg.norm(np.diff(resample([(0, 0), (1, 0), (4, 0)], 9), axis=0), axis=1)
    assert np.allclose(steps, 0.5)


def test_pick_follows_the_weights():
    rng = np.random.default_rng(0)
    drawn = [pick(rng, {"a": 3, "b": 1, "c": 0}) for _ in range(400)]
    assert 0.65 < drawn.count("a") / 400 < 0.85 and "c" not in drawn

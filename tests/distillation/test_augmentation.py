# SPDX-License-Identifier: Apache-2.0
"""Augmented clouds stay clouds of the same object."""

from __future__ import annotations

import numpy as np
import pytest

from partdistill_ros.distillation.augmentation import ALIGNED, augment, random_rotation, random_turn, sample_unevenly
from partdistill_ros.distillation.config import Augmentation

POINTS = np.random.default_rng(0).normal(size=(3000, 3)).astype(np.float32) * [0.2, 0.3, 0.5]


@pytest.mark.parametrize("seed", range(8))
def test_a_drawn_cloud_is_normalized_and_knows_its_rows(seed: int) -> None:
    seen = np.random.default_rng(1).random((3, 3000)) < 0.4
    drawn = augment(np.random.default_rng(seed), POINTS, seen, False, Augmentation(), 512, 64)
    assert drawn.points.shape == (512, 3) and drawn.points.dtype == np.float32
    assert abs(np.linalg.norm(drawn.points, axis=1).max() - 1) < 1e-5
    assert drawn.source.shape == (512,) and drawn.source.max() < 3000 and drawn.source.min() >= -1
    assert len(np.unique(drawn.centers)) == 64


def test_without_augmentation_only_a_turn_about_the_vertical_remains() -> None:
    still = Augmentation(0, 0, 0, 0, 0, 0, 0, 0)
    drawn = augment(np.random.default_rng(3), POINTS, None, False, still, 1024, 64)
    own = drawn.source >= 0
    height, true = drawn.points[own, 2], POINTS[drawn.source[own], 2]
    assert np.corrcoef(height, true)[0, 1] > 0.9999


def test_partial_views_hold_only_seen_points() -> None:
    seen = np.zeros((1, 3000), bool)
    seen[0, :1000] = True
    how = Augmentation(partial_view=1.0)
    drawn = augment(np.random.default_rng(4), POINTS, seen, False, how, 512, 64)
    assert drawn.source.max() < 1000


def test_a_small_scan_is_repeated_rather_than_refused() -> None:
    drawn = augment(np.random.default_rng(5), POINTS[:100], None, False, Augmentation(), 512, 64)
    assert len(drawn.points) == 512


def test_rotations_are_proper() -> None:
    for seed in range(20):
        rng = np.random.default_rng(seed)
        for matrix in (random_rotation(rng), random_turn(rng, 0.0, 0.1)):
            np.testing.assert_allclose(matrix @ matrix.T, np.eye(3), atol=1e-9)
            assert np.linalg.det(matrix) > 0.999


def test_turns_keep_the_vertical_unless_free() -> None:
    leans = [random_turn(np.random.default_rng(seed), 0.0, 0.05)[2, 2] for seed in range(50)]
    assert min(leans) > 0.95
    free = [random_turn(np.random.default_rng(seed), 1.0, 0.05)[2, 2] for seed in range(50)]
    assert min(free) < 0


def test_uneven_draws_without_repetition() -> None:
    rows = sample_unevenly(np.random.default_rng(0), POINTS, 500)
    assert len(np.unique(rows)) == 500


def test_the_same_seed_draws_the_same_cloud() -> None:
    first, second = (augment(np.random.default_rng(9), POINTS, None, True, Augmentation(), 256, 32) for _ in range(2))
    np.testing.assert_array_equal(first.points, second.points)


def test_aligned_clouds_keep_their_axes() -> None:
    for seed in range(20):
        drawn = augment(np.random.default_rng(seed), POINTS, None, False, ALIGNED, 512, 64)
        assert (drawn.source >= 0).all(), "no points of other things"
        own = POINTS[drawn.source]
        fit = np.linalg.lstsq(own - own.mean(0), drawn.points - drawn.points.mean(0), rcond=None)[0]
        stretch = np.diag(fit) / np.diag(fit).mean()
        assert np.abs(fit - np.diag(np.diag(fit))).max() < 0.03 and (np.abs(stretch - 1) < 0.2).all()


def test_flat_things_lie_on_either_side_standing_ones_do_not() -> None:
    still = Augmentation(0, 0, 0, 0, 0, 0, 0, 0)

    def heights(up_unknown: bool) -> np.ndarray:
        """How the drawn heights go with those of the sample, for 40 clouds."""
        found = []
        for seed in range(40):
            drawn = augment(np.random.default_rng(seed), POINTS, None, up_unknown, still, 512, 64)
            own = drawn.source >= 0
            found.append(np.corrcoef(drawn.points[own, 2], POINTS[drawn.source[own], 2])[0, 1])
        return np.array(found)

    lying = heights(up_unknown=True)
    assert (np.abs(lying) > 0.999).all() and 10 < (lying < 0).sum() < 30
    assert (heights(up_unknown=False) > 0.999).all()


def test_lying_on_the_other_side_is_a_turn_not_a_mirror_image() -> None:
    still = Augmentation(0, 0, 0, 0, 0, 0, 0, 0)
    for seed in range(12):
        drawn = augment(np.random.default_rng(seed), POINTS, None, True, still, 512, 64)
        own = POINTS[drawn.source[drawn.source >= 0]]
        seen = drawn.points[drawn.source >= 0].astype(float)
        matrix = np.linalg.lstsq(own - own.mean(0), seen - seen.mean(0), rcond=None)[0]
        assert np.linalg.det(matrix) > 0

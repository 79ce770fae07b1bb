# SPDX-License-Identifier: Apache-2.0
"""Mixes of blocks whose places are known, and of procedural shapes: parts swap, labels travel along."""

from __future__ import annotations

import time

import numpy as np
import pytest

from partdistill_ros.distillation.mixswap import LEAST_POINTS, divisions, mix_swap
from partdistill_ros.pointcloud.frames import turn_about_z
from partdistill_ros.pointcloud.scan import sample_surface
from partdistill_ros.synthetic.families import generate

BODY, HANDLE, LID = 0, 1, 2


def block(low, high, count=300, seed=0):
    return np.random.default_rng(seed).uniform(low, high, (count, 3))


def cloud(*blocks):
    """Points `[N, 3]` and their parts, from `(part, low, high)`."""
    points = np.concatenate([block(low, high, seed=seed) for seed, (_, low, high) in enumerate(blocks)])
    return points.astype(np.float32), np.repeat([part for part, _, _ in blocks], 300)


# A wide cup with its handle along +x, and a narrow one with a longer handle along +y.
FIRST = cloud((BODY, (-0.5, -0.5, -0.5), (0.5, 0.5, 0.5)), (HANDLE, (0.5, -0.1, -0.3), (0.8, 0.1, 0.3)))
SECOND = cloud((BODY, (-0.4, -0.4, -0.6), (0.4, 0.4, 0.6)), (HANDLE, (-0.06, 0.4, -0.5), (0.06, 0.8, 0.5)))


def mixes(first, second, count=30):
    return [mix_swap(np.random.default_rng(seed), *first, *second) for seed in range(count)]


def brought(mixed, second_parts):
    return set(second_parts[mixed.source[mixed.origin == 1]].tolist())


def test_every_point_knows_its_row_and_takes_its_label_along() -> None:
    for mixed in mixes(FIRST, SECOND):
        own = mixed.origin == 0
        assert (mixed.points[own] == FIRST[0][mixed.source[own]]).all(), "what stays is where it was"
        labels = mixed.gather(FIRST[1], SECOND[1])
        assert (labels[own] == FIRST[1][mixed.source[own]]).all()
        assert (labels[~own] == SECOND[1][mixed.source[~own]]).all()
        part = brought(mixed, SECOND[1])
        assert not set(labels[own].tolist()) & part, "the first cloud's own part is gone"
        assert sorted(mixed.source[~own]) == sorted(np.flatnonzero(np.isin(SECOND[1], list(part))))
        assert mixed.points.dtype == np.float32 and len(mixed.points) == len(mixed.origin) == len(labels)


def test_one_of_two_parts_is_swapped_never_both() -> None:
    found = [brought(mixed, SECOND[1]) for mixed in mixes(FIRST, SECOND)]
    assert {BODY} in found and {HANDLE} in found
    assert all(len(parts) == 1 for parts in found)


def test_of_three_parts_any_but_none_or_all() -> None:
    lid = (LID, (-0.5, -0.5, 0.5), (0.5, 0.5, 0.6))
    first = cloud((BODY, (-0.5,) * 3, (0.5,) * 3), (HANDLE, (0.5, -0.1, -0.3), (0.8, 0.1, 0.3)), lid)
    found = {frozenset(brought(mixed, first[1])) for mixed in mixes(first, first, 100)}
    assert len(found) == 6 and max(map(len, found)) == 2 and min(map(len, found)) == 1


def test_a_part_takes_the_place_of_the_other_also_from_a_cloud_that_is_turned() -> None:
    mixed = next(one for one in mixes(FIRST, SECOND) if brought(one, SECOND[1]) == {HANDLE})
    handle = mixed.points[mixed.origin == 1]
    np.testing.assert_allclose(handle.min(0), (0.5, -0.1, -0.3), atol=0.03)
    np.testing.assert_allclose(handle.max(0), (0.8, 0.1, 0.3), atol=0.03)


@pytest.mark.parametrize("angle", [0.0, 1.0, 2.5, -2.0])
def test_a_turned_copy_falls_onto_itself(angle: float) -> None:
    turned = (FIRST[0] @ turn_about_z(angle).T).astype(np.float32)
    for mixed in mixes(FIRST, (turned, FIRST[1]), 6):
        np.testing.assert_allclose(mixed.points, mixed.gather(FIRST[0], FIRST[0]), atol=1e-3)


def test_stray_points_do_not_decide_where_a_part_goes() -> None:
    points, parts = SECOND[0].copy(), SECOND[1]
    points[300:303] = (0, -5, 5)  # three of the handle's 300
    clean, stray = mixes(FIRST, SECOND, 20), mixes(FIRST, (points, parts), 20)
    for one, other in zip(clean, stray, strict=True):
        same = (one.origin == 1) & (one.source >= 303)
        assert np.abs(one.points[same] - other.points[same]).max(initial=0) < 0.06


def test_a_part_that_would_be_stretched_too_far_is_not_swapped() -> None:
    flat = cloud((BODY, (-0.4, -0.4, -0.05), (0.4, 0.4, 0.05)), (HANDLE, (0.5, -0.1, -0.3), (0.8, 0.1, 0.3)))
    assert {frozenset(brought(mixed, flat[1])) for mixed in mixes(FIRST, flat)} == {frozenset({HANDLE})}


def test_thin_parts_match_whatever_their_thickness() -> None:
    sheet, board = (
        cloud((BODY, (-0.5, -0.5, 0.4), (0.5, 0.5, 0.4 + thick)), (HANDLE, (-0.4, -0.4, -0.5), (0.4, 0.4, 0.4)))
        for thick in (0.01, 0.1)
    )
    assert {BODY} in [brought(mixed, board[1]) for mixed in mixes(sheet, board)]


@pytest.mark.parametrize(
    "second_parts",
    [np.full(600, -1), np.where(SECOND[1] == HANDLE, 5, -1), np.where(SECOND[1] == BODY, BODY, 7)],
    ids=["unlabeled", "other parts", "one part in common"],
)
def test_without_a_match_the_first_cloud_comes_back(second_parts) -> None:
    mixed = mix_swap(np.random.default_rng(0), *FIRST, SECOND[0], second_parts)
    np.testing.assert_array_equal(mixed.points, FIRST[0])
    assert (mixed.origin == 0).all() and (mixed.source == np.arange(600)).all()
    np.testing.assert_array_equal(mixed.gather(FIRST[1], second_parts), FIRST[1])


def test_a_part_of_few_points_is_not_shared() -> None:
    parts = SECOND[1].copy()
    parts[300 + LEAST_POINTS - 1 :] = -1
    assert all((mixed.origin == 0).all() for mixed in mixes(FIRST, (SECOND[0], parts)))


def test_unlabeled_points_of_the_first_cloud_stay_those_of_the_second_do_not_come() -> None:
    first_parts, second_parts = FIRST[1].copy(), SECOND[1].copy()
    first_parts[::10], second_parts[::10] = -1, -1
    for mixed in mixes((FIRST[0], first_parts), (SECOND[0], second_parts), 8):
        own = mixed.origin == 0
        assert np.isin(np.flatnonzero(first_parts < 0), mixed.source[own]).all()
        assert (second_parts[mixed.source[~own]] >= 0).all()


def test_the_same_seed_mixes_the_same_cloud() -> None:
    for one, other in zip(mixes(FIRST, SECOND, 5), mixes(FIRST, SECOND, 5), strict=True):
        np.testing.assert_array_equal(one.points, other.points)
        np.testing.assert_array_equal(one.source, other.source)


def test_divisions_are_the_heaviest_part_and_fill_up_from_the_nearest_point() -> None:
    points = np.array([(0, 0, 0), (1, 0, 0), (0.1, 0, 0), (0.9, 0, 0)], np.float32)
    soft = np.array([(0.2, 0.6), (0.5, 0.1), (0, 0), (0, 0)], np.float16)
    assert divisions(points, soft).tolist() == [1, 0, 1, 0]
    assert divisions(points, np.zeros((4, 2))).tolist() == [-1] * 4
    assert divisions(points, soft + np.float16(1)).tolist() == [1, 0, 0, 0]


@pytest.mark.parametrize("family", ["mug", "chair", "table", "airplane"])
def test_mixes_of_shapes_keep_their_size(family: str) -> None:
    clouds = [sample_surface(generate(family, seed), 4096, seed=0) for seed in range(6)]
    units = [one.points / np.linalg.norm(one.points, axis=1).max() for one in clouds]
    swapped = 0
    for seed in range(5):
        mixed = mix_swap(
            np.random.default_rng(seed), units[seed], clouds[seed].point_labels,
            units[seed + 1], clouds[seed + 1].point_labels,
        )  # fmt: skip
        swapped += bool(mixed.origin.any())
        grown = np.ptp(np.percentile(mixed.points, (2, 98), axis=0), axis=0)
        assert (grown < 1.4 * np.ptp(units[seed], axis=0) + 0.1).all()
    assert swapped >= 2


def test_a_mix_is_affordable() -> None:
    """1.2 ms for 2 x 8,192 points of a chair's three parts on one core; four times as much is allowed."""
    chairs = [sample_surface(generate("chair", seed), 8192, seed=0) for seed in (10, 11)]
    seconds = []
    for seed in range(20):
        started = time.process_time()
        mix_swap(
            np.random.default_rng(seed),
            chairs[0].points, chairs[0].point_labels, chairs[1].points, chairs[1].point_labels,
        )  # fmt: skip
        seconds.append(time.process_time() - started)
    assert min(seconds) < 5e-3

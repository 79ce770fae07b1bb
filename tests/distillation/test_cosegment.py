# SPDX-License-Identifier: Apache-2.0
"""Superpoints that are alike in several things become one common part, and clouds that were not learned join in."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from partdistill_ros.distillation.cosegment import DEFAULT, Pieces, group, pieces_of
from partdistill_ros.errors import PartDistillError
from partdistill_ros.inference.segmenter import Segmenter
from partdistill_ros.pointcloud.scan import Scan, sample_surface
from partdistill_ros.synthetic.families import generate


@pytest.fixture(scope="module")
def lamps() -> list[Scan]:
    """A mesh and two clouds, one of them of unknown up, with their true parts."""
    meshes = [generate("lamp", seed) for seed in (1, 2, 3)]
    clouds = [sample_surface(mesh, 2048) for mesh in meshes]
    return [meshes[0], clouds[1], clouds[2].with_(up=None)]


@pytest.fixture(scope="module")
def pieces(lamps: list[Scan]) -> list[Pieces]:
    segmenter = Segmenter("default", "cpu", 1)
    return [pieces_of(lamp, segmenter) for lamp in lamps]


def purity(answer: np.ndarray, truth: np.ndarray) -> float:
    """How many points are right where each common part stands for its commonest true one."""
    shared = np.zeros((answer.max() + 1, truth.max() + 1))
    np.add.at(shared, (answer, truth), 1)
    return float(shared.max(axis=1).sum() / len(truth))


def test_common_parts_are_those_of_the_truth(lamps: list[Scan], pieces: list[Pieces]) -> None:
    found = group(pieces, 3)
    clouds = [one.labeled(part, ("a", "b", "c")) for one, part in zip(pieces, found, strict=True)]
    assert len(clouds[0].points) == DEFAULT.cloud_points and clouds[0].mesh is None, "samples of the mesh"
    np.testing.assert_array_equal(clouds[1].points, lamps[1].points)
    answer = np.concatenate([cloud.point_labels for cloud in clouds[1:]])
    assert (np.diff(np.bincount(answer)) <= 0).all(), "the largest first"
    assert purity(answer, np.concatenate([lamp.point_labels for lamp in lamps[1:]])) > 0.85
    assert DEFAULT.fewest <= 1 + max(one.max() for one in group(pieces)) <= DEFAULT.most


def test_clouds_beyond_those_learned_join_their_groups(pieces: list[Pieces]) -> None:
    every = [pieces[1], pieces[1], pieces[1]]
    first, middle, last = group(every, 3, replace(DEFAULT, learned=2))
    np.testing.assert_array_equal(first, last)
    assert (middle == first).mean() > 0.8


def test_points_that_are_not_finite_stay_without_a_part(lamps: list[Scan]) -> None:
    points = lamps[1].points.copy()
    points[::5] = np.nan
    segmenter = Segmenter("default", "cpu", 1)
    scan = Scan(points, up=lamps[1].up, name="lamp")
    one = pieces_of(scan, segmenter)
    labels = one.labeled(np.zeros(len(one.weight), int), ("all",)).point_labels
    assert ((labels == -1) == ~scan.finite()).all() and len(labels) == 2048
    with pytest.raises(PartDistillError, match=r"^lamp: .* finite points?,? .*"):
        pieces_of(scan.select(np.arange(40)), segmenter)
    with pytest.raises(PartDistillError, match=r"1000 parts of \d+ superpoints: ask for fewer"):
        group([one], 1000)
    place = pieces_of(scan.with_(points=np.ones((500, 3), np.float32)), segmenter)
    with pytest.raises(PartDistillError, match="2 parts of 1 superpoints: .* give scans of whole surfaces"):
        group([place])


@pytest.mark.parametrize(("superpoints", "parts"), [(2, 2), (3, 3), (4, 3)])
def test_a_guess_for_few_superpoints_is_not_one_part(superpoints: int, parts: int) -> None:
    places = np.array([0.0, 0.1, 5.0, 20.0])[4 - superpoints :, None]
    size, apart = np.full(superpoints, 1 / superpoints), np.zeros((superpoints,) * 2, bool)
    cloud = Scan(np.zeros((superpoints, 3), np.float32))
    (found,) = group([Pieces(cloud, np.arange(superpoints, dtype=np.int32), places, 0 * places, size, apart)])
    assert len(set(found.tolist())) == parts

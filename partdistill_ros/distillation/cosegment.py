# SPDX-License-Identifier: Apache-2.0
"""Co-segmentation: the superpoints of a collection grouped into the parts that its things have in common. No teacher is
asked and no word.

Umam et al. (Unsupervised Point Cloud Co-Part Segmentation via Co-Attended Superpoint Generation and Aggregation, IEEE
TMM 2024) learn superpoints and their groups with a network for each category. Here superpoints end at creases, and what
the student makes of them, beside form and place, tells which are alike. docs/notes/distillation.md has the numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial import cKDTree
from scipy.spatial.distance import cdist, squareform

from partdistill_ros.distillation.posing import Pose, posed, surface_cloud
from partdistill_ros.errors import PartDistillError
from partdistill_ros.inference.segmenter import Segmenter
from partdistill_ros.pointcloud.normals import estimate_normals
from partdistill_ros.pointcloud.scan import Scan
from partdistill_ros.pointcloud.superpoints import SuperpointConfig, piece_means, superpoints


@dataclass(frozen=True)
class CosegmentConfig:
    """Numbers of the grouping, set on drawn shapes of twelve categories."""

    superpoints: SuperpointConfig = SuperpointConfig(least=80)  # half as large as for boxes: small parts keep their own
    cloud_points: int = 8192  # samples of a mesh
    form_weight: float = 0.5  # of form and place beside what the student says
    beside: float = 0.2  # so much nearer than they are count two superpoints that touch
    fewest: int = 3  # parts that `auto` finds,
    most: int = 8  # at most
    learned: int = 60  # clouds whose superpoints are grouped; those of others join the group they are nearest to


DEFAULT = CosegmentConfig()


@dataclass(frozen=True)
class Pieces:
    """A cloud in superpoints.

    cloud: what is labeled, the scan itself or samples of its mesh.  nearest: `[M]` superpoint of each of its finite
    points.  embedding: `[K, D]` what the student makes of each superpoint.  form: `[K, F]` its form and place.
    weight: `[K]` its share of the points.  beside: `[K, K]` whether two of them touch.
    """

    cloud: Scan
    nearest: NDArray[np.int32]
    embedding: NDArray[np.float64]
    form: NDArray[np.float64]
    weight: NDArray[np.float64]
    beside: NDArray[np.bool_]

    def labeled(self, part: NDArray[np.integer], names: Sequence[str]) -> Scan:
        """The cloud with the part `part [K]` of its superpoints as labels, -1 where a point is not finite."""
        labels = np.full(len(self.cloud.points), -1, np.int16)
        labels[self.cloud.finite()] = part[self.nearest]
        return self.cloud.with_(point_labels=labels, parts=tuple(names))


def pieces_of(scan: Scan, segmenter: Segmenter, config: CosegmentConfig = DEFAULT) -> Pieces:
    """The superpoints of a scan, posed as for training. Raises PartDistillError for one of too few finite points."""
    surface = surface_cloud(scan, config.cloud_points)
    pose = Pose.of(posed(surface))
    points, embedding = segmenter.embed(pose.move(surface.points), (0, 0, 1), scan.name)
    piece = superpoints(points, config.superpoints)
    cloud = scan if scan.mesh is None else surface.with_(mesh=None)
    nearest = piece[cKDTree(points).query(pose.move(cloud.points[cloud.finite()]))[1]]
    normals = estimate_normals(points).astype(np.float64)
    weight = np.bincount(piece) / len(piece)
    mean = piece_means(embedding.astype(np.float64), piece)
    return Pieces(cloud, nearest, mean, _form(points.astype(np.float64), normals, piece), weight, _touch(points, piece))


def group(
    clouds: Sequence[Pieces], parts: int | None = None, config: CosegmentConfig = DEFAULT
) -> list[NDArray[np.intp]]:
    """The common part `[K]` of each superpoint of each cloud, the largest part first.

    parts: how many; None for as many as the widest gap between two merges tells.
    Raises PartDistillError for more parts than superpoints.
    """
    features, ends = _features(clouds, config), np.cumsum([len(one.weight) for one in clouds])[:-1]
    each = np.split(features, ends)
    chosen = np.unique(np.linspace(0, len(clouds) - 1, min(len(clouds), config.learned)).round().astype(int))
    known = np.concatenate([each[one] for one in chosen])
    if len(known) < (parts or 2):
        raise PartDistillError(
            f"{parts or 2} parts of {len(known)} superpoints: ask for fewer parts, or give scans of whole surfaces"
        )
    beside = [clouds[one].beside for one in chosen]
    merges = linkage(_distances([each[one] for one in chosen], beside, config), "average")
    parts = _likely_count(merges, config) if parts is None else parts
    cluster = fcluster(merges, parts, "maxclust") - 1
    found = np.split(cluster, np.cumsum([len(each[one]) for one in chosen])[:-1])
    learned = dict(zip(chosen.tolist(), found, strict=True))
    answer = [learned[at] if at in learned else _nearest(own, known, cluster) for at, own in enumerate(each)]
    weight = np.concatenate([one.weight for one in clouds])
    order = np.argsort(-np.bincount(np.concatenate(answer), weight), kind="stable")
    return [np.argsort(order)[one] for one in answer]


def _features(clouds: Sequence[Pieces], config: CosegmentConfig) -> NDArray[np.float64]:
    """`[sum of K, D + F]`: embedding and form of all superpoints, each of variance 1 in all before it is weighed."""
    weight = np.concatenate([one.weight for one in clouds])
    embedding, form = (np.concatenate([getattr(one, name) for one in clouds]) for name in ("embedding", "form"))
    embedding, form = (values - np.average(values, axis=0, weights=weight) for values in (embedding, form))
    spread = np.sqrt(np.average((embedding**2).sum(axis=1), weights=weight))
    each = np.sqrt(np.average(form**2, axis=0, weights=weight) * form.shape[1])
    return np.hstack([embedding / max(spread, 1e-9), config.form_weight * form / np.maximum(each, 1e-9)])


def _distances(
    each: Sequence[NDArray[np.float64]], beside: Sequence[NDArray[np.bool_]], config: CosegmentConfig
) -> NDArray[np.float64]:
    """Condensed distances between all superpoints."""
    features = np.concatenate(each)
    distances, at = cdist(features, features), 0
    for own, touch in zip(each, beside, strict=True):
        block = np.s_[at : at + len(own), at : at + len(own)]
        distances[block] = np.where(touch, 1 - config.beside, 1.0) * distances[block]
        at += len(own)
    return squareform(distances, checks=False)


def _likely_count(merges: NDArray[np.float64], config: CosegmentConfig) -> int:
    """The number of clusters whose next merge is farthest beyond the one before."""
    heights = np.maximum(merges[::-1, 2], 1e-9)  # of the merge that leaves 1, 2, ... clusters
    counts = np.arange(config.fewest, min(config.most, len(heights)) + 1)
    if not len(counts):
        return len(heights) + 1  # so few superpoints that each is a part
    return int(counts[np.argmax(heights[counts - 2] / heights[counts - 1])])


def _nearest(own: NDArray[np.float64], known: NDArray[np.float64], cluster: NDArray[np.integer]) -> NDArray[np.intp]:
    """The cluster whose superpoints are nearest on average, as average linkage measures."""
    to_each = cdist(own, known)
    means = np.stack([to_each[:, cluster == number].mean(axis=1) for number in range(cluster.max() + 1)])
    return np.asarray(means.argmin(axis=0))


def _form(points: NDArray[np.float64], normals: NDArray[np.float64], piece: NDArray[np.int32]) -> NDArray[np.float64]:
    """Of each superpoint its extents along its axes, elongation and flatness, how its longest and thinnest axis and its
    normals stand to the vertical, its height, and its distances from the vertical axis and from the middle."""
    center = piece_means(points, piece)
    offset = points - center[piece]
    covariance = piece_means((offset[:, :, None] * offset[:, None]).reshape(len(points), 9), piece).reshape(-1, 3, 3)
    variance, axes = np.linalg.eigh(covariance)
    thinnest, middle, longest = np.sqrt(np.maximum(variance, 1e-9)).T
    upright = np.abs(axes[:, 2])  # of the thinnest, middle and longest axis
    radius = np.hypot(center[:, 0], center[:, 1])
    steep = piece_means(np.abs(normals[:, 2:]), piece)[:, 0]
    extents = [np.log(longest), np.log(middle + 0.01), np.log(thinnest + 0.01), middle / longest, thinnest / longest]
    place = [upright[:, 2], upright[:, 0], steep, center[:, 2], radius, np.linalg.norm(center, axis=1)]
    return np.stack([*extents, *place], axis=1)


def _touch(points: NDArray[np.float32], piece: NDArray[np.int32], neighbors: int = 8) -> NDArray[np.bool_]:
    """Which superpoints `[K, K]` hold points that are neighbors."""
    near = cKDTree(points).query(points, min(neighbors + 1, len(points)))[1]
    touch = np.zeros((piece.max() + 1,) * 2, bool)
    touch[np.repeat(piece, near.shape[1]), piece[near].ravel()] = True
    return touch | touch.T

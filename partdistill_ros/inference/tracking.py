# SPDX-License-Identifier: Apache-2.0
"""Tracking over the clouds of a stream: objects that stand still keep their predictions.

An object that is where it was, in the shape that it had, keeps its prediction and is predicted again in turn, so that a
busy table costs a few runs of the network a cloud and no prediction grows old. With smoothing, predictions for the same
place are averaged over clouds. Both end where the object moves: it no longer matches its track, and begins a new one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from partdistill_ros.errors import PartDistillError
from partdistill_ros.inference.query import PartQuery
from partdistill_ros.inference.segmenter import Prediction, Segmenter

NUM_COMPARED = 400  # points of an object, at least, that are compared with those of its track, and the other way round
NUM_REFERENCE = 1500  # points, at least, that they are compared with
MAX_CENTER_DISTANCE = 0.05  # meters between the centers of what may be the same object


@dataclass(frozen=True)
class TrackingOptions:
    """Lengths in meters.

    refresh: objects that stand still predicted again in each cloud, the oldest prediction first; 0 for all.
    smoothing: share of the earlier prediction in a new one, 0 to below 1; 0.8 averages over about five answers.
    tolerance, moved: an object has moved when more than the share `moved` of its points is farther than
        `tolerance` from any of before, or the other way round. Still ones under a Kinect's noise stay below
        0.02; a mug turned by 15 degrees or shifted by 1.5 cm is at 0.08 or above.
    forget: clouds after which an object out of sight is forgotten.
    """

    refresh: int = 1
    smoothing: float = 0.0
    tolerance: float = 0.010
    moved: float = 0.03
    forget: int = 10

    def __post_init__(self) -> None:
        if self.refresh < 0:
            raise PartDistillError(f"refresh must be a number of objects, 0 for all, it is {self.refresh}")
        if not 0 <= self.smoothing < 1:
            raise PartDistillError(f"smoothing must be from 0 to below 1, it is {self.smoothing}")
        if not (self.tolerance > 0 and 0 < self.moved < 1 and self.forget >= 0):
            raise PartDistillError("tolerance must be above zero, moved between 0 and 1, forget not negative")


@dataclass
class _Track:
    """One object: its last prediction in the fixed frame, the center `[3]` of its points, and the numbers of the
    clouds in which it was predicted and seen last."""

    prediction: Prediction
    tree: cKDTree
    center: NDArray[np.floating]
    predicted_at: int
    seen: int


PredictObjects = Callable[[list[int]], Sequence[Prediction | None]]
"""Predictions for the objects with these numbers, in the cloud's frame."""


class ObjectTracker:
    """Objects of one stream of clouds, for one query to one student; with another it begins anew.

    Not for several threads at once.
    """

    def __init__(self) -> None:
        self.num_predicted = 0
        self._tracks: list[_Track] = []
        self._num_clouds = 0
        self._about: tuple[Segmenter, PartQuery] | None = None

    def clear(self) -> None:
        """Forget everything."""
        self._tracks = []

    def predictions(
        self,
        about: tuple[Segmenter, PartQuery],
        clouds: Sequence[NDArray[np.floating]],
        predict: PredictObjects,
        options: TrackingOptions,
        pose: NDArray[np.float64] | None = None,
    ) -> list[Prediction | None]:
        """The prediction of each object `[Ni, 3]` of one cloud, in the cloud's frame: those that moved, are new or
        whose turn it is are given to `predict`; `num_predicted` tells how many.

        pose: `[4, 4]` from the cloud's frame to one that stands still; None where the camera does.
        """
        if self._about is None or any(one is not other for one, other in zip(self._about, about, strict=True)):
            self.clear()
            self._about = about
        self._num_clouds += 1
        if not options.smoothing and (options.refresh == 0 or len(clouds) <= options.refresh):
            self.clear()  # all are predicted, and no track is used
            self.num_predicted = len(clouds)
            return list(predict(list(range(len(clouds)))))
        placed = [_transform(cloud, pose) for cloud in clouds]
        found = self._associate(placed, options)
        due = _due_objects(found, options.refresh)
        self.num_predicted = len(due)
        answers: list[Prediction | None] = [None if track is None else track.prediction for track in found]
        for number, fresh in zip(due, predict(due), strict=True):
            answers[number] = None if fresh is None else self._update(found[number], _transformed(fresh, pose), options)
        self._tracks = [track for track in self._tracks if self._num_clouds - track.seen <= options.forget]
        back = None if pose is None else np.linalg.inv(pose).astype(np.float64)
        return [None if prediction is None else _transformed(prediction, back) for prediction in answers]

    def _associate(self, clouds: Sequence[NDArray[np.floating]], options: TrackingOptions) -> list[_Track | None]:
        """The track of each object, None where it is new or has moved."""
        free = list(self._tracks)
        found: list[_Track | None] = []
        for cloud in clouds:
            sample = _subsample(cloud, NUM_REFERENCE, self._num_clouds)
            center = sample.mean(axis=0)
            apart = [float(np.linalg.norm(track.center - center)) for track in free]
            best = int(np.argmin(apart)) if free else -1
            if not free or apart[best] > MAX_CENTER_DISTANCE or self._has_moved(free[best], sample, options):
                found.append(None)
                continue
            free[best].seen = self._num_clouds
            found.append(free.pop(best))
        return found

    def _has_moved(self, track: _Track, sample: NDArray[np.floating], options: TrackingOptions) -> bool:
        def outside(tree: cKDTree, points: NDArray[np.floating]) -> float:
            subset = _subsample(points, NUM_COMPARED, self._num_clouds)
            return float(np.isinf(tree.query(subset, distance_upper_bound=options.tolerance)[0]).mean())

        if outside(track.tree, sample) > options.moved:
            return True
        return outside(_tree(sample), track.prediction.points) > options.moved

    def _update(self, track: _Track | None, fresh: Prediction, options: TrackingOptions) -> Prediction:
        prediction = fresh if track is None else _smoothed(track, fresh, options)
        center, now = prediction.points.mean(axis=0), self._num_clouds
        updated = _Track(prediction, _tree(prediction.points), center, predicted_at=now, seen=now)
        self._tracks = [other for other in self._tracks if other is not track] + [updated]
        return prediction


def _due_objects(found: Sequence[_Track | None], refresh: int) -> list[int]:
    """The objects to predict now: all without a track, and those whose predictions are oldest."""
    new = [number for number, track in enumerate(found) if track is None]
    still = sorted((track.predicted_at, number) for number, track in enumerate(found) if track is not None)
    return sorted(new + [number for _, number in still[: refresh or None]])


def _smoothed(track: _Track, fresh: Prediction, options: TrackingOptions) -> Prediction:
    """The fresh prediction, averaged with that of the nearest point of before where there is one."""
    weight = np.float32(options.smoothing)
    if weight == 0:
        return fresh
    distance, nearest = track.tree.query(fresh.points, distance_upper_bound=options.tolerance)
    near = np.isfinite(distance)
    probability = fresh.probability.copy()
    probability[near] *= 1 - weight
    probability[near] += weight * track.prediction.probability[nearest[near]]
    scores = (1 - weight) * fresh.scores + weight * track.prediction.scores
    return replace(fresh, probability=probability, scores=scores)


def _subsample(points: NDArray[np.floating], count: int, cloud: int) -> NDArray[np.floating]:
    """`count` to twice as many of the points, or all there are: others for each number of a cloud, for an object
    must not be taken for still because the same few points are."""
    step = max(1, len(points) // count)
    return points[cloud % step :: step]


def _tree(points: NDArray[np.floating]) -> cKDTree:
    # Unbalanced it is built in half the time.
    return cKDTree(points, balanced_tree=False, compact_nodes=False)


def _transform(points: NDArray[np.floating], pose: NDArray[np.float64] | None) -> NDArray[np.floating]:
    return points if pose is None else points @ pose[:3, :3].T + pose[:3, 3]


def _transformed(prediction: Prediction, pose: NDArray[np.float64] | None) -> Prediction:
    """A prediction told in another frame."""
    if pose is None:
        return prediction
    return replace(prediction, points=_transform(prediction.points, pose), up=pose[:3, :3] @ prediction.up)

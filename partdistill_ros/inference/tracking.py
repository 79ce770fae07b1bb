# SPDX-License-Identifier: Apache-2.0
"""Tracking over the clouds of a stream: objects keep their numbers, and those that stand still their predictions.

An object whose center is near where it was last seen keeps its number. If its shape is in place too it keeps its
prediction, and is predicted again in turn, so that a busy table costs a few runs of the network a cloud and no
prediction grows old. With smoothing, predictions for the same place are averaged over clouds. Predictions end where the
object moves or the query changes; numbers do not.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment
from scipy.spatial import cKDTree

from partdistill_ros.errors import PartDistillError
from partdistill_ros.inference.query import PartQuery
from partdistill_ros.inference.segmenter import Prediction, Segmenter

NUM_COMPARED = 400  # points of an object, at least, that are compared with those of its track, and the other way round
NUM_FIRST = 100  # of those, that are enough where hardly any is off: still ones mostly are told so
NUM_REFERENCE = 1500  # points, at least, that they are compared with
MOST_SKIPPED = 3  # late clouds in a row in which no object that stands still is predicted again
SAME_SIZE = 0.02  # share of an object's points that noise adds or takes away
MAX_CENTER_DISTANCE = 0.05  # meters between the centers of what may be the same object
NUM_NUMBERED = 100  # clouds for which the number of an object out of sight is kept: an arm passes before it
MOST_TRACKS = 256  # where everything moves each object of each cloud is new: 1,600 would cost 4 ms a cloud
MOST_NUMBERS = 65_535  # what fits the field `object` of labeled clouds; after it comes 1 again


@dataclass(frozen=True)
class TrackingOptions:
    """Lengths in meters.

    refresh: objects that stand still predicted again in each cloud, the oldest prediction first; 0 for all.
    smoothing: share of the earlier prediction in a new one, 0 to below 1; 0.8 averages over about five answers.
    tolerance, moved: an object has moved when more than the share `moved` of its points is farther than
        `tolerance` from any of before, or the other way round. Still ones under a Kinect's noise stay below
        0.02; a mug turned by 15 degrees or shifted by 1.5 cm is at 0.08 or above.
    forget: clouds after which the prediction for an object out of sight is forgotten.
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
class _Memory:
    """The last prediction for an object, in the fixed frame, the number of the cloud that it was made for, and how many
    points the object had there."""

    prediction: Prediction
    tree: cKDTree
    made_at: int
    size: int


@dataclass
class _Track:
    """One object: its number, the center `[3]` of its points in the fixed frame, the number of the cloud in which it
    was seen last, and what is remembered of its prediction."""

    number: int
    center: NDArray[np.floating]
    seen: int
    memory: _Memory | None = None


PredictObjects = Callable[[list[int]], Sequence[Prediction | None]]
"""Predictions for the objects with these indices, in the cloud's frame."""


class ObjectTracker:
    """Objects of one stream of clouds; predictions are those of one student for one query, with another they begin
    anew.

    numbers: of the objects of the last cloud, 1 to 65535, in their order.  num_predicted: how many were predicted.
    late: to be set where the next cloud had to wait for the one before: objects that stand still are predicted again in
    every fourth of those only.  Not for several threads at once.
    """

    def __init__(self) -> None:
        self.numbers: list[int] = []
        self.num_predicted = 0
        self.late = False
        self._skipped = 0
        self._tracks: list[_Track] = []
        self._newest = 0
        self._num_clouds = 0
        self._about: tuple[Segmenter, PartQuery] | None = None

    def clear(self) -> None:
        """Forget the predictions."""
        for track in self._tracks:
            track.memory = None

    def predictions(
        self,
        about: tuple[Segmenter, PartQuery],
        clouds: Sequence[NDArray[np.floating]],
        predict: PredictObjects,
        options: TrackingOptions | None = None,
        pose: NDArray[np.float64] | None = None,
    ) -> list[Prediction | None]:
        """The prediction of each object `[Ni, 3]` of one cloud, in the cloud's frame: those that moved, are new or
        whose turn it is are given to `predict`, without `options` all of them.

        pose: `[4, 4]` from the cloud's frame to one that stands still; None where the camera does.
        """
        if self._about is None or any(one is not other for one, other in zip(self._about, about, strict=True)):
            self.clear()
            self._about = about
        self._num_clouds += 1
        samples = [_transform(_subsample(cloud, NUM_REFERENCE, self._num_clouds), pose) for cloud in clouds]
        tracks = self._follow([np.array([along.mean(dtype=np.float64) for along in sample.T]) for sample in samples])
        self.numbers = [track.number for track in tracks]
        if options is None or (not options.smoothing and (options.refresh == 0 or len(clouds) <= options.refresh)):
            self.clear()  # all are predicted, and nothing of before is used
            self.num_predicted = len(clouds)
            return list(predict(list(range(len(clouds)))))
        sizes = [len(cloud) for cloud in clouds]
        self._forget_moved(tracks, samples, sizes, options)
        skip = self.late and options.refresh > 0 and self._skipped < MOST_SKIPPED
        self._skipped = self._skipped + 1 if skip else 0
        due = _due_objects(tracks, 0 if skip else options.refresh or len(tracks))
        self.num_predicted = len(due)
        answers = [None if track.memory is None else track.memory.prediction for track in tracks]
        for index, fresh in zip(due, predict(due), strict=True):
            if fresh is None:  # what was remembered would be the oldest for ever, and nothing else predicted again
                answers[index] = tracks[index].memory = None
            else:
                answers[index] = self._remember(tracks[index], _transformed(fresh, pose), sizes[index], options)
        back = None if pose is None else np.linalg.inv(pose).astype(np.float64)
        return [None if prediction is None else _transformed(prediction, back) for prediction in answers]

    def _follow(self, centers: Sequence[NDArray[np.floating]]) -> list[_Track]:
        """The track of each object: those of before as near to the objects as they can all be, else new ones."""
        found: dict[int, _Track] = {}
        if self._tracks and centers:
            before = np.stack([track.center for track in self._tracks])
            apart = np.linalg.norm(np.stack(centers)[:, None] - before, axis=2)
            # One that is too far costs no more than none, else a row of objects would move up where one is taken away.
            for index, track in zip(*linear_sum_assignment(np.minimum(apart, MAX_CENTER_DISTANCE)), strict=True):
                if apart[index, track] < MAX_CENTER_DISTANCE:
                    found[int(index)] = self._tracks[track]
        tracks = [found.get(index) or self._new_track(center) for index, center in enumerate(centers)]
        for track, center in zip(tracks, centers, strict=True):
            track.center, track.seen = center, self._num_clouds
        kept = [track for track in self._tracks if self._num_clouds - track.seen <= NUM_NUMBERED]
        self._tracks = sorted(kept, key=lambda track: track.seen)[-MOST_TRACKS:]
        return tracks

    def _new_track(self, center: NDArray[np.floating]) -> _Track:
        taken = {track.number for track in self._tracks}
        self._newest = self._newest % MOST_NUMBERS + 1
        while self._newest in taken:
            self._newest = self._newest % MOST_NUMBERS + 1
        self._tracks.append(_Track(self._newest, center, self._num_clouds))
        return self._tracks[-1]

    def _forget_moved(
        self,
        tracks: Sequence[_Track],
        samples: Sequence[NDArray[np.floating]],
        sizes: Sequence[int],
        options: TrackingOptions,
    ) -> None:
        """Forgets the predictions for objects that moved, and for those out of sight."""
        for track, sample, size in zip(tracks, samples, sizes, strict=True):
            memory = track.memory
            if memory is None:
                continue
            # What only vanished changes the size, or is seen to be gone a cloud later: half of the time.
            both_ways = abs(size - memory.size) > SAME_SIZE * memory.size or (self._num_clouds + track.number) % 2 == 0
            if self._has_moved(memory, sample, both_ways, options):
                track.memory = None
        for track in self._tracks:
            if self._num_clouds - track.seen > options.forget:
                track.memory = None

    def _has_moved(
        self, memory: _Memory, sample: NDArray[np.floating], both_ways: bool, options: TrackingOptions
    ) -> bool:
        def outside(tree: cKDTree, points: NDArray[np.floating]) -> float:
            share = 0.0
            for count in (NUM_FIRST, NUM_COMPARED):
                subset = _subsample(points, count, self._num_clouds)
                share = float(np.isinf(tree.query(subset, distance_upper_bound=options.tolerance)[0]).mean())
                if share < options.moved / 3:
                    break
            return share

        if outside(memory.tree, sample) > options.moved:
            return True
        return both_ways and outside(_tree(sample), memory.prediction.points) > options.moved

    def _remember(self, track: _Track, fresh: Prediction, size: int, options: TrackingOptions) -> Prediction:
        prediction = fresh if track.memory is None else _smoothed(track.memory, fresh, options)
        track.memory = _Memory(prediction, _tree(prediction.points), self._num_clouds, size)
        return prediction


def _due_objects(tracks: Sequence[_Track], refresh: int) -> list[int]:
    """The objects to predict now: all without a prediction, and `refresh` of those whose predictions are oldest."""
    new = [index for index, track in enumerate(tracks) if track.memory is None]
    still = sorted((track.memory.made_at, index) for index, track in enumerate(tracks) if track.memory is not None)
    return sorted(new + [index for _, index in still[:refresh]])


def _smoothed(memory: _Memory, fresh: Prediction, options: TrackingOptions) -> Prediction:
    """The fresh prediction, averaged with that of the nearest point of before where there is one."""
    weight = np.float32(options.smoothing)
    if weight == 0:
        return fresh
    distance, nearest = memory.tree.query(fresh.points, distance_upper_bound=options.tolerance)
    near = np.isfinite(distance)
    probability = fresh.probability.copy()
    probability[near] *= 1 - weight
    probability[near] += weight * memory.prediction.probability[nearest[near]]
    scores = (1 - weight) * fresh.scores + weight * memory.prediction.scores
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

# SPDX-License-Identifier: Apache-2.0
"""What is known of things that stand still, from one cloud of a stream to the next.

An object that is where it was, in the shape that it had, keeps its answer and is asked about again in turn,
so that a busy table costs a few runs of the network a cloud and no answer grows old. With smoothing, what
is predicted of a place is averaged over the clouds in which it was asked about. Both end where the object
moves: what is remembered of it no longer fits, and it is asked about as a new one.
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

COMPARED = 400  # points of an object, at least, that are looked up among those of before, and the other way round
SAMPLED = 1500  # points, at least, that they are looked up among
NEAR = 0.05  # meters between the middles of what may be the same object


@dataclass(frozen=True)
class TrackingOptions:
    """Lengths in meters.

    refresh: objects that stand still asked about again in each cloud, the longest unasked first; 0 for all.
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
class _Known:
    """One object as last asked about: its prediction in the fixed frame, the center `[3]` of its points, and the
    numbers of the clouds in which it was asked about and seen."""

    prediction: Prediction
    tree: cKDTree
    center: NDArray[np.floating]
    asked: int
    seen: int


Ask = Callable[[list[int]], Sequence[Prediction | None]]
"""Beliefs of the objects with these numbers, in the cloud's frame."""


class ObjectTracker:
    """Objects of one stream of clouds, for one query to one student; with another it begins anew.

    Not for several threads at once.
    """

    def __init__(self) -> None:
        self.asked = 0
        self._known: list[_Known] = []
        self._cloud = 0
        self._about: tuple[Segmenter, PartQuery] | None = None

    def clear(self) -> None:
        """Forget everything."""
        self._known = []

    def predictions(
        self,
        about: tuple[Segmenter, PartQuery],
        clouds: Sequence[NDArray[np.floating]],
        ask: Ask,
        options: TrackingOptions,
        pose: NDArray[np.float64] | None = None,
    ) -> list[Prediction | None]:
        """The prediction of each object `[Ni, 3]` of one cloud, in the cloud's frame: those that moved, are new or
        whose turn it is are given to `ask`; `asked` tells how many.

        pose: `[4, 4]` from the cloud's frame to one that stands still; None where the camera does.
        """
        if self._about is None or any(one is not other for one, other in zip(self._about, about, strict=True)):
            self.clear()
            self._about = about
        self._cloud += 1
        if not options.smoothing and (options.refresh == 0 or len(clouds) <= options.refresh):
            self.clear()  # all would be asked about, and nothing of before used
            self.asked = len(clouds)
            return list(ask(list(range(len(clouds)))))
        placed = [_moved(cloud, pose) for cloud in clouds]
        found = self._recognize(placed, options)
        due = _due(found, options.refresh)
        self.asked = len(due)
        answers: list[Prediction | None] = [None if known is None else known.prediction for known in found]
        for number, fresh in zip(due, ask(due), strict=True):
            answers[number] = None if fresh is None else self._learn(found[number], _placed(fresh, pose), options)
        self._known = [known for known in self._known if self._cloud - known.seen <= options.forget]
        back = None if pose is None else np.linalg.inv(pose).astype(np.float64)
        return [None if prediction is None else _placed(prediction, back) for prediction in answers]

    def _recognize(self, clouds: Sequence[NDArray[np.floating]], options: TrackingOptions) -> list[_Known | None]:
        """For each object what is known of it, None where it is new or has moved."""
        free = list(self._known)
        found: list[_Known | None] = []
        for cloud in clouds:
            sample = _some(cloud, SAMPLED, self._cloud)
            center = sample.mean(axis=0)
            apart = [float(np.linalg.norm(known.center - center)) for known in free]
            best = int(np.argmin(apart)) if free else -1
            if not free or apart[best] > NEAR or self._has_moved(free[best], sample, options):
                found.append(None)
                continue
            free[best].seen = self._cloud
            found.append(free.pop(best))
        return found

    def _has_moved(self, known: _Known, sample: NDArray[np.floating], options: TrackingOptions) -> bool:
        def outside(tree: cKDTree, points: NDArray[np.floating]) -> float:
            some = _some(points, COMPARED, self._cloud)
            return float(np.isinf(tree.query(some, distance_upper_bound=options.tolerance)[0]).mean())

        if outside(known.tree, sample) > options.moved:
            return True
        return outside(_tree(sample), known.prediction.points) > options.moved

    def _learn(self, known: _Known | None, fresh: Prediction, options: TrackingOptions) -> Prediction:
        prediction = fresh if known is None else _smoothed(known, fresh, options)
        learned = _Known(prediction, _tree(prediction.points), prediction.points.mean(axis=0), self._cloud, self._cloud)
        self._known = [other for other in self._known if other is not known] + [learned]
        return prediction


def _due(found: Sequence[_Known | None], refresh: int) -> list[int]:
    """The objects to ask about: all that are not known, and those whose answers are oldest."""
    new = [number for number, known in enumerate(found) if known is None]
    still = sorted((known.asked, number) for number, known in enumerate(found) if known is not None)
    return sorted(new + [number for _, number in still[: refresh or None]])


def _smoothed(known: _Known, fresh: Prediction, options: TrackingOptions) -> Prediction:
    """The fresh prediction, averaged with that of the nearest point of before where there is one."""
    share = np.float32(options.smoothing)
    if share == 0:
        return fresh
    distance, nearest = known.tree.query(fresh.points, distance_upper_bound=options.tolerance)
    near = np.isfinite(distance)
    probability = fresh.probability.copy()
    probability[near] *= 1 - share
    probability[near] += share * known.prediction.probability[nearest[near]]
    scores = (1 - share) * fresh.scores + share * known.prediction.scores
    return replace(fresh, probability=probability, scores=scores)


def _some(points: NDArray[np.floating], count: int, cloud: int) -> NDArray[np.floating]:
    """`count` to twice as many of the points, or all there are: others for each number of a cloud, for an object
    must not be taken for still because the same few points are."""
    step = max(1, len(points) // count)
    return points[cloud % step :: step]


def _tree(points: NDArray[np.floating]) -> cKDTree:
    # Unbalanced it is built in half the time.
    return cKDTree(points, balanced_tree=False, compact_nodes=False)


def _moved(points: NDArray[np.floating], pose: NDArray[np.float64] | None) -> NDArray[np.floating]:
    return points if pose is None else points @ pose[:3, :3].T + pose[:3, 3]


def _placed(prediction: Prediction, pose: NDArray[np.float64] | None) -> Prediction:
    """A prediction told in another frame."""
    if pose is None:
        return prediction
    return replace(prediction, points=_moved(prediction.points, pose), up=pose[:3, :3] @ prediction.up)

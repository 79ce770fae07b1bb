# SPDX-License-Identifier: Apache-2.0
"""Parts and objects in the answer for a cloud: all there are, and the one that somebody asks for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from partdistill_ros.errors import PartDistillError
from partdistill_ros.inference.scene import SceneLabels, SceneObject
from partdistill_ros.objects.part_box import Box, part_box

MIN_PART_POINTS = 20
"""Fewer points are stray labels: they would flicker."""


@dataclass(frozen=True)
class FoundPart:
    """A part of an object, or a whole object.

    index: `[K]` of its points in the cloud.  label: of the part, None for a whole object.  name: of the part, empty for
    a whole object.  score: mean confidence of those of its points that are labeled, 0 where none is.
    """

    object: SceneObject
    index: NDArray[np.intp]
    score: float
    label: int | None = None
    name: str = ""


def found_parts(answer: SceneLabels) -> list[FoundPart]:
    """Every part of every object, in the order of objects and labels."""
    found = []
    for one in answer.objects:
        labels = answer.labels[one.index]
        for label in np.flatnonzero(np.bincount(labels[labels >= 0]) >= MIN_PART_POINTS).tolist():
            index = one.index[labels == label]
            score = float(answer.confidence[index].mean())
            found.append(FoundPart(one, index, score, label, answer.parts[label]))
    return found


def found_objects(answer: SceneLabels) -> list[FoundPart]:
    """Every object as a whole, labeled or not, in its order."""
    found = []
    for one in answer.objects:
        confidence = answer.confidence[one.index][answer.labels[one.index] >= 0]
        found.append(FoundPart(one, one.index, float(confidence.mean()) if len(confidence) else 0.0))
    return found


@dataclass(frozen=True)
class Boxes:
    """Parts and objects of an answer with their boxes, found when first asked for and once for all who ask; what has
    too few points for a box is left out.  points: `[N, 3]` of the cloud, in meters."""

    points: NDArray[np.float32]
    answer: SceneLabels

    @cached_property
    def parts(self) -> list[tuple[FoundPart, Box]]:
        return self._boxed(found_parts(self.answer))

    @cached_property
    def objects(self) -> list[tuple[FoundPart, Box]]:
        return self._boxed(found_objects(self.answer))

    def _boxed(self, found: list[FoundPart]) -> list[tuple[FoundPart, Box]]:
        boxes = ((one, part_box(self.points[one.index], one.object.up)) for one in found)
        return [(one, box) for one, box in boxes if box is not None]


def find_part(
    answer: SceneLabels,
    points: NDArray[np.floating],
    name: str,
    near: NDArray[np.floating] | None = None,
    within: float = 0.0,
) -> FoundPart:
    """The part `name` ("handle", or "mug: handle" for that of a mug), or a whole object ("mug:", or "mug" where no
    part is called so).

    points: `[N, 3]` of the cloud.  near: `[3]`, of several the nearest to this point is taken, else the surest.
    within: how far its nearest point may be from `near`, 0 for any distance.
    Raises PartDistillError, which says what there is, where nothing is like that.
    """
    category, part = _parsed(name, answer.parts)
    name = name[:80]  # in messages
    every = found_parts(answer) if part else [one for one in found_objects(answer) if one.score > 0]
    fitting = [one for one in every if one.name == part and category in ("", one.object.category)]
    if not fitting:
        asked = ", ".join(answer.parts)
        raise PartDistillError(f"no '{name}' in the newest cloud, where {asked} were looked for: {_there_is(answer)}")
    if near is None:
        return max(fitting, key=lambda one: one.score)
    distances = [float(np.linalg.norm(points[one.index] - near, axis=1).min()) for one in fitting]
    best = int(np.argmin(distances))
    if within and distances[best] > within:
        raise PartDistillError(
            f"the nearest '{name}' is {distances[best]:.3f} m from the point, farther than the {within:g} m asked for"
        )
    return fitting[best]


def _parsed(name: str, parts: Sequence[str]) -> tuple[str, str]:
    """Category and part, each empty where not named."""
    head, colon, tail = (" ".join(word.lower().split()) for word in name.partition(":"))
    if not head and not tail:
        raise PartDistillError("name the part to find, for example 'handle', 'mug: handle', or 'mug:' for a whole mug")
    if colon or head not in parts:
        return head, tail
    return "", head


def _there_is(answer: SceneLabels) -> str:
    if not answer.objects:
        return answer.problem or "it has no objects"
    seen = dict.fromkeys(": ".join(filter(None, (one.object.category, one.name))) for one in found_parts(answer))
    return f"it has {', '.join(seen)}" if seen else "none of its objects is labeled"

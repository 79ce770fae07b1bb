# SPDX-License-Identifier: Apache-2.0
"""One recorded cloud to labels of every point: cut the objects out where asked, then segment them as one batch."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from partdistill_ros.errors import PartDistillError
from partdistill_ros.inference.joining import join_missing_parts
from partdistill_ros.inference.query import PartQuery
from partdistill_ros.inference.segmenter import Labels, Prediction, Segmenter
from partdistill_ros.inference.sizes import too_large
from partdistill_ros.inference.tracking import ObjectTracker, TrackingOptions
from partdistill_ros.objects.extract import extract_objects
from partdistill_ros.objects.object_in_view import ObjectInView
from partdistill_ros.objects.params import TabletopParams
from partdistill_ros.pointcloud.crop import CropBox
from partdistill_ros.pointcloud.sampling import finite_rows
from partdistill_ros.pointcloud.scan import Scan, sample_surface

SCENE_MODES = ("object", "tabletop", "crop")
MESH_SAMPLES = 20_000  # surface points that stand for a mesh: its vertices lie where the shape is complicated


@dataclass(frozen=True)
class SceneOptions:
    """How a cloud becomes objects.

    mode: `object`, the whole cloud is one; `tabletop`, what stands on the support plane is cut into them; `crop`,
        what lies in a box is one.
    up: `[3]` opposite to gravity in object and crop mode (None: +z of the box's frame, the scan's own, else
        it is searched for); in tabletop mode the plane's normal is taken.
    min_confidence: points below it stay unlabeled.
    max_objects: the largest on the plane.  tabletop: limits of the extraction.
    crop: the box of crop mode.
    tracking: how an `ObjectTracker` keeps predictions, None for not at all.
    join_parts: in tabletop mode, a piece that is the missing part of its neighbor joins it; each two neighbors are
        asked about once more, which takes 30 ms of one core.
    """

    mode: str = "object"
    up: NDArray[np.floating] | None = None
    min_confidence: float = 0.0
    max_objects: int = 64
    tabletop: TabletopParams = TabletopParams()
    crop: CropBox = CropBox()
    tracking: TrackingOptions | None = None
    join_parts: bool = False

    def __post_init__(self) -> None:
        if self.mode not in SCENE_MODES:
            raise PartDistillError(f"scene mode '{self.mode}' is unknown: choose {' or '.join(SCENE_MODES)}")


@dataclass(frozen=True)
class SceneObject:
    """One object: `index [M]` of its points in the cloud, the `category` whose names won (None where the
    query has none), `up [3]` as used (None where it stayed unlabeled), and its `number` from 1, which an
    `ObjectTracker` keeps over clouds."""

    index: NDArray[np.intp]
    category: str | None
    up: NDArray[np.floating] | None
    number: int = 1


@dataclass(frozen=True)
class SceneLabels:
    """The answer for a whole cloud, in the order of its points.

    labels: `[N] i2`, indices into `parts`, -1 unlabeled.  confidence: `[N] f4`, 0 outside objects.
    objects: largest first.  plane: `[4]` the support plane in tabletop mode.
    stages: seconds by name.  problem: why something is unlabeled, None where nothing is wrong.
    """

    labels: NDArray[np.int16]
    confidence: NDArray[np.float32]
    parts: tuple[str, ...]
    objects: tuple[SceneObject, ...]
    stages: Mapping[str, float]
    plane: NDArray[np.floating] | None = None
    problem: str | None = None

    def object_numbers(self) -> NDArray[np.uint16]:
        """Number `[N]` of each point's object, 0 none."""
        numbers = np.zeros(len(self.labels), np.uint16)
        for found in self.objects:
            numbers[found.index] = found.number
        return numbers


def label_scene(
    segmenter: Segmenter,
    query: PartQuery,
    scan: Scan,
    options: SceneOptions | None = None,
    tracker: ObjectTracker | None = None,
    pose: NDArray[np.float64] | None = None,
) -> SceneLabels:
    """Label every point of a cloud that may hold NaN.

    tracker: of the clouds before, for the objects' numbers and, where the options say how, for predictions; pose:
    see `ObjectTracker.predictions`.  Without a tracker the numbers are 1, 2, ... in the order of the objects.
    A cloud without finite points, without a support plane or without objects comes back unlabeled with
    its `problem`: a live node goes on, a command may refuse.
    """
    options = options or SceneOptions()
    start = time.perf_counter()
    try:
        plane, indices, ups = _objects(scan, options)
    except PartDistillError as error:
        return _unlabeled(scan, query, {"extract": time.perf_counter() - start}, str(error))
    if options.join_parts and plane is not None:
        indices = join_missing_parts(segmenter, query, scan.points, indices, plane[:3])
        ups = [plane[:3]] * len(indices)
    extracted = time.perf_counter()
    clouds = [scan.points.take(index, axis=0) for index in indices]  # a fourth of the time of points[index]
    predictions, numbers = _predictions(segmenter, query, clouds, ups, options, tracker, pose)
    predicted = time.perf_counter()
    answers = segmenter.assign_each(clouds, predictions, query, min_confidence=options.min_confidence)
    if options.mode == "tabletop" and query.others:
        answers = [_without_too_large(answer, cloud) for answer, cloud in zip(answers, clouds, strict=True)]
    labels = np.full(len(scan.points), -1, np.int16)
    confidence = np.zeros(len(scan.points), np.float32)
    for index, answer in zip(indices, answers, strict=True):
        labels[index] = answer.labels
        confidence[index] = answer.confidence
    timings = segmenter.timings
    stages = {
        "extract": extracted - start,
        "recall": predicted - extracted - timings.total,
        "sample": timings.sample,
        "network": timings.network,
        "spread": time.perf_counter() - predicted,
    }
    objects = [
        SceneObject(index, answer.category, answer.up, number)
        for index, answer, number in zip(indices, answers, numbers, strict=True)
    ]
    problem = next((answer.problem for answer in answers if answer.problem), None)
    return SceneLabels(labels, confidence, query.names, tuple(objects), stages, plane, problem)


def _without_too_large(answer: Labels, points: NDArray[np.floating]) -> Labels:
    """The answer without labels where no thing of its category is as large as the object `[M, 3]`."""
    if not too_large(answer.category, points):
        return answer
    return replace(answer, labels=np.full_like(answer.labels, -1), category=None)


def label_scan(segmenter: Segmenter, query: PartQuery, scan: Scan, options: SceneOptions) -> SceneLabels:
    """Labels of `scan.points`; a mesh is asked about by samples of its surface, and each vertex takes the answer of
    the nearest sample."""
    if scan.mesh is None or not len(scan.mesh.faces):
        return label_scene(segmenter, query, scan, options)
    from scipy.spatial import cKDTree

    surface = sample_surface(scan, MESH_SAMPLES)
    answer = label_scene(segmenter, query, surface, options)
    usable = np.flatnonzero(scan.finite())
    nearest = cKDTree(surface.points).query(scan.points[usable])[1]
    labels, confidence = np.full(len(scan.points), -1, np.int16), np.zeros(len(scan.points), np.float32)
    labels[usable], confidence[usable] = answer.labels[nearest], answer.confidence[nearest]
    numbers = np.zeros(len(scan.points), np.uint16)
    numbers[usable] = answer.object_numbers()[nearest]
    objects = [replace(found, index=np.flatnonzero(numbers == found.number)) for found in answer.objects]
    return replace(answer, labels=labels, confidence=confidence, objects=tuple(objects))


def label_object(bundle: str, text: str, scan: Scan, found: ObjectInView) -> SceneLabels:
    """The labels of one object of a cloud by a student that has just learned it, -1 elsewhere."""
    segmenter = Segmenter(bundle, "cpu")
    query = segmenter.query(text)
    answer = segmenter.segment([scan.points[found.index]], query, [found.scan.up])[0]
    labels, confidence = np.full(len(scan.points), -1, np.int16), np.zeros(len(scan.points), np.float32)
    labels[found.index], confidence[found.index] = answer.labels, answer.confidence
    scene_object = SceneObject(found.index, answer.category, answer.up)
    return SceneLabels(labels, confidence, answer.parts, (scene_object,), {}, found.plane, answer.problem)


def _predictions(
    segmenter: Segmenter,
    query: PartQuery,
    clouds: list[NDArray[np.floating]],
    ups: list[NDArray[np.floating] | None],
    options: SceneOptions,
    tracker: ObjectTracker | None,
    pose: NDArray[np.float64] | None,
) -> tuple[list[Prediction | None], list[int]]:
    """The prediction for each object, now or, where it is tracked, of before; and its number."""

    def predict(numbers: list[int]) -> list[Prediction | None]:
        return segmenter.predict([clouds[number] for number in numbers], query, [ups[number] for number in numbers])

    if tracker is None:
        return predict(list(range(len(clouds)))), list(range(1, len(clouds) + 1))
    predictions = tracker.predictions((segmenter, query), clouds, predict, options.tracking, pose)
    return predictions, tracker.numbers


def _objects(
    scan: Scan, options: SceneOptions
) -> tuple[NDArray[np.floating] | None, list[NDArray[np.intp]], list[NDArray[np.floating] | None]]:
    """The plane, the points of each object and its up; PartDistillError where there is no object."""
    finite = finite_rows(scan.points)
    if not len(finite):
        raise PartDistillError(
            f"none of the {len(scan.points)} points of {scan.name} is finite: check that the sensor sees "
            "something within its range"
        )
    if options.mode == "object":
        return None, [finite], [scan.up if options.up is None else options.up]
    if options.mode == "crop":
        return None, [_cropped(scan, options.crop)], [_first(options.up, options.crop.up, scan.up)]
    found = extract_objects(scan, options.tabletop)
    objects = list(found.objects[: options.max_objects])
    if not objects:
        raise PartDistillError(
            f"no object of at least {options.tabletop.min_points} points stands on the support plane of {scan.name}: "
            "lower min_points, or use scene mode 'object' for a cloud of one object"
        )
    return found.plane, objects, [scan.up if found.plane is None else found.plane[:3]] * len(objects)


def _cropped(scan: Scan, box: CropBox) -> NDArray[np.intp]:
    index = box.inside(scan.points)
    if not len(index):
        raise PartDistillError(
            f"no point of {scan.name} lies in the crop box from {box.low} to {box.high} m: check its frame and limits"
        )
    return index


def _first(*ups: NDArray[np.floating] | None) -> NDArray[np.floating] | None:
    return next((up for up in ups if up is not None), None)


def _unlabeled(scan: Scan, query: PartQuery, stages: Mapping[str, float], problem: str) -> SceneLabels:
    count = len(scan.points)
    return SceneLabels(
        np.full(count, -1, np.int16), np.zeros(count, np.float32), query.names, (), stages, problem=problem
    )

# SPDX-License-Identifier: Apache-2.0
"""Labeled shapes made ready for measuring: what a method may look at, and the truth it may not."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from partdistill_ros.errors import PartDistillError
from partdistill_ros.evaluation.datasets import categories_of, is_dataset, read_dataset
from partdistill_ros.io.load import load_scan, load_scans
from partdistill_ros.pointcloud.frames import parse_up
from partdistill_ros.pointcloud.scan import Scan, sample_surface

POINTS = 2048  # the protocol's points a shape
SEED = 0

Skip = Callable[[Path, PartDistillError], None]


@dataclass(frozen=True)
class Question:
    """All that a method is shown of a shape.

    cloud: `POINTS` samples of the surface, with normals where the shape has them.  scan: the shape
    itself (mesh or whole cloud). Neither carries labels; `up` is known where the file states it.
    category, parts: what is asked for; answers index into `parts`.
    """

    name: str
    category: str
    parts: tuple[str, ...]
    cloud: Scan
    scan: Scan


@dataclass(frozen=True)
class Shape:
    """A question with its truth: `truth [POINTS] i2` of the samples; `every_point [M, 3]` and
    `every_truth [M] i2` of the whole shape (a mesh's face centers, a cloud's finite points).
    labeled: the shape as its file has it, for a ceiling and for experiments. A shape to learn from may have
    no truth: all labels are -1."""

    question: Question
    truth: NDArray[np.int16]
    every_point: NDArray[np.float32]
    every_truth: NDArray[np.int16]
    labeled: Scan


@dataclass(frozen=True)
class Selection:
    """What is taken of the files and folders that are named.

    up: axis (x, -x, ...) that points up in shapes whose files do not tell.  split, categories: of a folder that holds
    a public data set; no category means all.
    """

    up: str | None = None
    split: str = "test"
    categories: tuple[str, ...] = ()


EVERYTHING = Selection()


def load_shapes(
    paths: Iterable[str | Path], on_skip: Skip | None = None, selection: Selection = EVERYTHING
) -> list[Shape]:
    """The labeled shapes of files, folders and data sets (`datasets/`), by category and name.

    A file that was named and cannot be read is an error; one found in a folder goes to `on_skip`.
    Raises PartDistillError also for a shape without labels or category, and where nothing is left.
    """
    files = [Path(path) for path in paths]
    offered = {name for path in files if is_dataset(path) for name in categories_of(path)}
    unknown = [name for name in selection.categories if name not in offered]
    if unknown:
        raise PartDistillError(f"no category '{unknown[0]}' in the data set: choose among {', '.join(sorted(offered))}")
    return prepare(_scans(files, on_skip, selection))


def load_training_shapes(
    paths: Iterable[str | Path],
    parts: Mapping[str, tuple[str, ...]],
    on_skip: Skip | None = None,
    up: str | None = None,
) -> list[Shape]:
    """The shapes of files and folders to learn from, with labels or without, as real scans are; of data sets the
    training split.

    parts: of each category that is asked about; a file that names no category is of the only one there is.
    up: see `Selection`.
    Raises PartDistillError as `load_shapes` does, and for a file without category where there are several.
    """
    scans = _scans(paths, on_skip, Selection(up, "train", tuple(parts)))
    labeled = [scan for scan in scans if _labels(scan) is not None]
    others = [_unlabeled(scan, parts) for scan in scans if _labels(scan) is None]
    return [*(prepare(labeled) if labeled else ()), *others]


def _scans(paths: Iterable[str | Path], on_skip: Skip | None, selection: Selection) -> list[Scan]:
    scans: list[Scan] = []
    for path in map(Path, paths):
        if is_dataset(path):
            known = set(selection.categories).intersection(categories_of(path))
            scans += read_dataset(path, selection.split, sorted(known) or selection.categories)
        else:
            scans += load_scans([path], on_skip=on_skip) if path.is_dir() else [load_scan(path)]
    if selection.up is None:
        return scans
    up = parse_up(selection.up)
    return [scan.with_(up=up) if scan.up is None else scan for scan in scans]


def prepare(scans: Sequence[Scan], points: int = POINTS, seed: int = SEED) -> list[Shape]:
    """Sample the shapes and set their labels apart; parts that only some shapes of a category list
    are parts of the category."""
    scans = [_checked(scan) for scan in scans]
    if not scans:
        raise PartDistillError("no shapes to evaluate: name labeled shape files or folders of them")
    parts: dict[str, tuple[str, ...]] = {}
    for scan in scans:
        category = str(scan.category)
        parts[category] = tuple(dict.fromkeys(parts.get(category, ()) + scan.parts))
    ordered = sorted(scans, key=lambda scan: (scan.category or "", scan.name))
    return [_shape(scan, parts[str(scan.category)], points, seed) for scan in ordered]


def _labels(scan: Scan) -> NDArray[np.int16] | None:
    """The true labels of a scan's points or its mesh's faces; None where it has none."""
    labels = scan.point_labels if scan.mesh is None else scan.mesh.face_labels
    return labels if labels is not None and (labels >= 0).any() else None


def _unlabeled(scan: Scan, parts: Mapping[str, tuple[str, ...]]) -> Shape:
    """A shape without a truth."""
    if scan.category is None and len(parts) != 1:
        raise PartDistillError(
            f"{scan.name}: the file names no category, and shapes of {', '.join(parts)} are evaluated: evaluate one "
            "category, or give shapes whose files name theirs"
        )
    category = scan.category or next(iter(parts))
    names, cloud = parts.get(category, ()), sample_surface(scan, POINTS, SEED)
    question = Question(scan.name, category, names, _blind(cloud, names), _blind(scan, names))
    everywhere = scan.points[scan.finite()]
    return Shape(question, np.full(POINTS, -1, np.int16), everywhere, np.full(len(everywhere), -1, np.int16), scan)


def _checked(scan: Scan) -> Scan:
    labels = _labels(scan)
    if labels is None:
        raise PartDistillError(
            f"{scan.name}: the shape carries no part labels to compare with; give .npz shapes with "
            "face_labels or point_labels"
        )
    if not scan.category or not scan.parts:
        raise PartDistillError(f"{scan.name}: the file must name the shape's 'category' and its 'parts'")
    if int(labels.max()) >= len(scan.parts):
        raise PartDistillError(f"{scan.name}: label {int(labels.max())} has no name among {len(scan.parts)} 'parts'")
    return scan


def _shape(scan: Scan, parts: tuple[str, ...], points: int, seed: int) -> Shape:
    cloud = sample_surface(scan, points, seed)
    if cloud.point_labels is None:
        raise PartDistillError(f"{scan.name}: the samples of the shape came without labels")
    place = np.array([*(parts.index(part) for part in scan.parts), -1], np.int16)  # label -1 takes the last
    every_point, every_label = _every_point(scan)
    question = Question(scan.name, str(scan.category), parts, _blind(cloud, parts), _blind(scan, parts))
    return Shape(question, place[cloud.point_labels], every_point, place[every_label], scan)


def _every_point(scan: Scan) -> tuple[NDArray[np.float32], NDArray[np.int16]]:
    if scan.mesh is not None and scan.mesh.face_labels is not None:
        return scan.mesh.triangles().mean(axis=1).astype(np.float32), scan.mesh.face_labels
    if scan.point_labels is None:
        raise PartDistillError(f"{scan.name}: the shape carries no part labels")
    usable = scan.finite()
    return scan.points[usable], scan.point_labels[usable]


def _blind(scan: Scan, parts: tuple[str, ...]) -> Scan:
    mesh = None if scan.mesh is None else replace(scan.mesh, face_labels=None)
    return scan.with_(point_labels=None, mesh=mesh, parts=parts)

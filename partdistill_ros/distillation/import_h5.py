# SPDX-License-Identifier: Apache-2.0
"""Knowledge that the authors of PartDistill prepared: one `preprocess.h5` per shape.

What its fields mean, by the authors' data_format.md and by how their loader and loss use them
(github.com/ardianumam/PartDistill, data.py and model/loss.py):

    xyz        [N, 3]        the cloud
    cls_bbox   [1, K]        part of each box, counted from 0 within the category
    conf_bbox  [N, K, P]     confidence of box k at point n, the largest over P; 0: the point is not in the box
    cls_view   [V, N, B]     the same boxes by the view they were found in: part, and
    conf_view  [V, N, B, P]  confidence; empty places have confidence 0
    gt_semantic_seg [N]      the truth, which is never read

A unit is a box: its points are those with a confidence, its score their mean confidence (one number per
box in a detector's output). The view is that which lists the box at all of its points.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from partdistill_ros.distillation.units import KnowledgeUnits
from partdistill_ros.errors import MissingDependencyError, PartDistillError
from partdistill_ros.io.parsing import check_regular, parsing
from partdistill_ros.pointcloud.scan import Scan

LARGEST = 2**25  # numbers in one field: three times what 10,000 points and 250 boxes of 4 parts need
MAX_RATIO = 1100  # bytes of a field to those that it takes in the file; deflate packs at most 1,032 into one
UNKNOWN_VIEW = -1
SAME = 1e-4  # confidences of one box in both listings
LISTED = 0.999  # share of its points at which a view must list a box


@dataclass(frozen=True)
class Imported:
    """scan, units: the shape.  contrary: boxes whose confidences lie under another part than their own."""

    scan: Scan
    units: KnowledgeUnits
    contrary: int


def shape_name(path: Path) -> str:
    """`03797390/a1b2/extracted/preprocess.h5` is `a1b2`; a file of another name is its own."""
    if path.stem != "preprocess":
        return path.stem
    folder = path.absolute().parent
    return folder.parent.name if folder.name == "extracted" else folder.name


def read_preprocess(
    path: str | os.PathLike[str],
    parts: Sequence[str],
    category: str | None = None,
    up: NDArray[np.float32] | None = None,
) -> Imported:
    """The shape and its units, `parts` in the order of the file's numbers.

    Raises PartDistillError that names file and field for what is missing, damaged, or of another shape
    or range, and for a shape without any box; MissingDependencyError without h5py.
    """
    h5py = require_h5py()
    with parsing(path, "HDF5 file", "download or copy it again"):
        check_regular(path)
        with h5py.File(path, "r") as file:
            return _imported(_Fields(file, Path(path)), tuple(parts), category, up)


def require_h5py() -> Any:
    """The module. Raises MissingDependencyError where it is not installed."""
    try:
        import h5py
    except ImportError as error:
        raise MissingDependencyError("h5py", "train", "reading preprocess.h5") from error
    return h5py


class _Fields:
    """The datasets of one open file, each checked before it is read."""

    def __init__(self, file: Any, path: Path) -> None:
        self.file, self.path = file, path

    def wrong(self, name: str, problem: str) -> PartDistillError:
        return PartDistillError(
            f"{self.path}: '{name}' {problem}; expected is the layout of PartDistill's preprocess.h5"
        )

    def find(self, name: str, wanted: Sequence[int | str]) -> Any:
        """The dataset `name`, not read yet; `wanted`: its lengths, a letter where any will do."""
        words = f"[{', '.join(map(str, wanted))}]"
        found = self.file.get(name)
        shape = getattr(found, "shape", None)
        if found is None or shape is None:
            raise self.wrong(name, "is missing" if found is None else f"is not an array {words}")
        fits = len(shape) == len(wanted) and all(
            isinstance(want, str) or got == want for got, want in zip(shape, wanted, strict=True)
        )
        if not fits or found.dtype.kind not in "fiu":
            raise self.wrong(name, f"must be numbers {words}, not {found.dtype} {list(shape)}")
        if found.size > LARGEST:
            raise self.wrong(name, f"claims {found.size:,} numbers, {LARGEST:,} at most can be read")
        stored = found.id.get_storage_size()
        if found.size * found.dtype.itemsize > MAX_RATIO * stored:
            raise self.wrong(name, f"claims {found.size:,} numbers, but the file holds {stored:,} bytes of them")
        return found

    def read(self, name: str, wanted: Sequence[int | str]) -> NDArray[Any]:
        """Its content."""
        values: NDArray[Any] = self.contents(name, self.find(name, wanted), ...)
        return values

    def contents(self, name: str, dataset: Any, at: Any) -> NDArray[Any]:
        """`dataset[at]`; a piece that cannot be read is named."""
        try:
            values = np.asarray(dataset[at])
        except (OSError, RuntimeError, ValueError) as error:
            raise self.wrong(name, f"cannot be read ({error})") from error
        if not np.isfinite(values).all():
            raise self.wrong(name, "holds numbers that are not finite")
        return values

    def confidences(self, name: str, dataset: Any, at: Any) -> NDArray[np.float32]:
        """`[..., P]`, each in 0..1."""
        values = self.contents(name, dataset, at).astype(np.float32)
        if values.size and not -SAME <= values.min() <= values.max() <= 1 + SAME:
            raise self.wrong(name, f"must lie in 0..1, it holds {values.min():g}..{values.max():g}")
        return values.clip(0, 1)


def _imported(
    fields: _Fields, parts: tuple[str, ...], category: str | None, up: NDArray[np.float32] | None
) -> Imported:
    xyz = fields.read("xyz", ("N", 3)).astype(np.float32)
    conf = fields.find("conf_bbox", (len(xyz), "K", "P"))
    boxes, named = conf.shape[1:]
    if named != len(parts) and boxes:
        raise fields.wrong("conf_bbox", f"is about {named} parts, but {len(parts)} were named ({', '.join(parts)})")
    part = fields.read("cls_bbox", (1, boxes))[0]
    if not len(xyz) or not boxes:
        raise PartDistillError(f"{fields.path}: 'conf_bbox' holds no boxes: the teacher found no part of this shape")
    if (part != np.floor(part)).any() or part.min() < 0 or part.max() >= len(parts):
        raise fields.wrong("cls_bbox", f"must hold parts 0..{len(parts) - 1}, it holds {part.min():g}..{part.max():g}")
    by_part = fields.confidences("conf_bbox", conf, ...)
    units = _units(by_part.max(-1), part.astype(np.int16), parts)
    if not len(units):
        raise PartDistillError(f"{fields.path}: 'conf_bbox' is 0 everywhere: no box holds a point")
    contrary = (by_part.sum(0).argmax(-1) != part) & (by_part > 0).any((0, 2))
    scan = Scan(xyz, parts=parts, category=category, up=up, name=shape_name(fields.path))
    return Imported(scan, _with_views(fields, units), int(contrary.sum()))


def _units(conf: NDArray[np.float32], part: NDArray[np.int16], parts: tuple[str, ...]) -> KnowledgeUnits:
    """A unit for each box with a point; conf `[N, K]`, part `[K]`."""
    member = (conf > 0).T
    used = member.any(1)
    owner, points = np.nonzero(member[used])
    sizes = np.bincount(owner, minlength=int(used.sum()))
    score = np.bincount(owner, conf.T[used][owner, points], len(sizes)) / np.maximum(sizes, 1)
    return KnowledgeUnits(
        part[used],
        score.astype(np.float32),
        np.full(len(sizes), UNKNOWN_VIEW, np.int16),
        np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64),
        points.astype(np.int32),
        len(conf),
        parts,
    )


def _with_views(fields: _Fields, units: KnowledgeUnits) -> KnowledgeUnits:
    """The units with the view of each: the only one that lists its part with its score at its points."""
    listed = fields.find("cls_view", ("V", units.n_points, "B"))
    views, places = listed.shape[0], listed.shape[2]
    conf = fields.find("conf_view", (views, units.n_points, places, "P"))
    owner, sizes = units.owner(), units.sizes()
    share = np.zeros((max(views, 1), len(units)))
    for view in range(views if places else 0):
        part = fields.contents("cls_view", listed, view)
        sure = fields.confidences("conf_view", conf, view).max(-1, initial=0)
        same = (part[units.indices] == units.part[owner, None]) & (
            abs(sure[units.indices] - units.score[owner, None]) < SAME
        )
        share[view] = np.bincount(owner, same.any(1), len(units)) / sizes
    clear = (share >= LISTED).sum(0) == 1
    return replace(units, view=np.where(clear, share.argmax(0), UNKNOWN_VIEW).astype(np.int16))

# SPDX-License-Identifier: Apache-2.0
"""A controlled teacher for experiments: true labels rendered into views, then damaged the way vision-language
models fail. It knows the truth, so nobody learns from it but the students of an experiment.

Errors are systematic. Each part of a category has an error rate of its own, a wrong name is always the
same wrong name, and the rates vary from shape to shape; independent errors come on top. Every random
number follows from the preset's seed and the names of category, part, shape and view, so a shape gets the
same errors in every run and at every place in a collection.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial import cKDTree

from partdistill_ros.distillation.units import NEIGHBORS
from partdistill_ros.errors import PartDistillError
from partdistill_ros.evaluation.methods.distilled_student import MakeTeacher
from partdistill_ros.evaluation.shapes import Shape
from partdistill_ros.pointcloud.scan import Scan, sample_surface
from partdistill_ros.pointcloud.superpoints import superpoints
from partdistill_ros.rendering.rasterize import Rendering
from partdistill_ros.teachers.boxes import box_iou
from partdistill_ros.teachers.protocol import BoxAnswer, PixelAnswer

WHOLE_OFF = 0.06  # sigma of the sides of a whole-object box in fractions of the object: half of them miss some of it
PATCHES = 14  # a side of the picture in CLIP ViT-B/16 patches


@dataclass(frozen=True)
class Preset:
    """How a controlled teacher fails; rates are fractions of the patches or boxes.

    wrong: the range of the parts' error rates; the squares of even steps between them, in an order drawn from
        the category's name, so that one part or two are hard and the others easy.
    vary: largest change of a rate from shape to shape, either way.
    flips: independent errors, any other name.
    missed: boxes that are not given (box kind); what is easily named is easily missed.
    off: sigma of a box's sides, in fractions of its size.
    spurious, whole: mean number a view of boxes around nothing, and of boxes around everything.
    blobs: the names go wrong a superpoint at a time, the same one in most views, and not patch by patch.
    leak: of the superpoints, those that take the name of the nearest part beside them.
    lost_views: of the views, those in which everything has one name.
    """

    kind: Literal["pixel", "box"]
    wrong: tuple[float, float]
    vary: float
    flips: float
    missed: tuple[float, float] = (0.0, 0.0)
    off: float = 0.0
    spurious: float = 0.0
    whole: float = 0.0
    blobs: bool = False
    leak: float = 0.0
    lost_views: float = 0.0
    seed: int = 0


# Calibrated on the mean over categories of `vote` (benchmarks/controlled_teachers.py): 48.4 is what PointCLIP V2
# scores on ShapeNetPart; boxes were set to 27.3, what PartSLIP scores on PartNetE, and have 29.5 as votes are counted
# now.
PRESETS = {
    "pixel": Preset("pixel", wrong=(0.0, 0.55), vary=0.18, flips=0.015),
    "pixel-independent": Preset("pixel", wrong=(0.0, 0.0), vary=0.0, flips=0.295),
    "box": Preset("box", wrong=(0.0, 0.3), vary=0.2, flips=0.03, missed=(0.1, 0.35), off=0.15, spurious=0.7, whole=2.0),
}


PRESETS |= {
    "pixel-blobs": replace(PRESETS["pixel"], blobs=True, leak=0.12, lost_views=0.1),
    "box-blobs": replace(PRESETS["box"], blobs=True, wrong=(0.0, 0.22), leak=0.11, lost_views=0.1, whole=1.75),
}
# Boxes around true parts alone, under their names: what boxes can tell at best. Nothing calibrates them.
_TRUE = replace(PRESETS["box"], wrong=(0.0, 0.0), vary=0.0, flips=0.0, missed=(0.0, 0.0), spurious=0.0, whole=0.0)
IDEAL = {"box-true": replace(_TRUE, off=0.0), "box-loose": _TRUE}
SHOWN = 0.8  # of the views in which a superpoint is called wrong, where it is


@dataclass(frozen=True)
class Pieces:
    """Superpoint `[N]` of each point or face; of each superpoint `[S]` its commonest true label, and that of the next
    superpoint of another label (its own where there is none)."""

    piece: NDArray[np.int32]
    label: NDArray[np.int64]
    beside: NDArray[np.int64]


class ControlledTeacher:
    """preset: one of `PRESETS` or `IDEAL`.  seed: of its errors.  It answers about scans whose truth it got by
    `reveal`."""

    size = 224

    def __init__(self, preset: str, seed: int = 0) -> None:
        known = PRESETS | IDEAL
        if preset not in known:
            raise PartDistillError(f"unknown controlled teacher '{preset}': choose one of {', '.join(known)}")
        self.preset = replace(known[preset], seed=seed)
        self.name = f"controlled {preset}"
        self.key = f"controlled {preset} {self.preset}"
        self.kind = self.preset.kind
        self._truth: dict[tuple[str, str], tuple[NDArray[np.int16], tuple[str, ...]]] = {}
        self._pieces: dict[tuple[str, str], Pieces] = {}

    def reveal(self, scan: Scan) -> None:
        """Tell the true labels of a scan: those of its faces where it has a mesh, else of its points."""
        mesh = scan.mesh
        labels = scan.point_labels if mesh is None else mesh.face_labels
        if labels is None:
            raise PartDistillError(
                f"{scan.name}: a controlled teacher needs shapes with true labels, this one has none"
            )
        known = scan.name, "points" if mesh is None else "faces"
        if self.preset.blobs and (known not in self._truth or self._truth[known][0] is not labels):
            self._pieces[known] = _pieces(scan, labels)
        self._truth[known] = (labels, scan.parts)

    def answer(self, rendering: Rendering, parts: Sequence[str], category: str | None) -> PixelAnswer | BoxAnswer:
        """Damaged truth about every view. Raises PartDistillError for a scan that was never revealed."""
        truth = self._label_map(rendering, parts)
        errors = ErrorRates(self.preset, category or "", tuple(parts), rendering.name)
        if self.preset.blobs:
            known = rendering.name, rendering.of
            names = self._truth[known][1]
            place = np.array([*(parts.index(name) if name in parts else -1 for name in names), -1])
            truth = _blobs(errors, truth, rendering.index, self._pieces[known], place)
            errors.wrong[:] = 0  # the pieces have gone wrong instead
        if self.kind == "pixel":
            return PixelAnswer(np.stack([_patches(errors, view, labels) for view, labels in enumerate(truth)]))
        return _boxes(errors, truth, rendering.index >= 0)

    def _label_map(self, rendering: Rendering, parts: Sequence[str]) -> NDArray[np.int16]:
        """The true part of each pixel `[V, H, W]`, -1 on the background and where unlabeled."""
        try:
            labels, names = self._truth[rendering.name, rendering.of]
        except KeyError:
            raise PartDistillError(
                f"the controlled teacher does not know the true {rendering.of} of '{rendering.name}': "
                "it can only teach on labeled shapes"
            ) from None
        place = np.array([*(parts.index(name) if name in parts else -1 for name in names), -1], np.int16)
        return place[np.append(labels, -1)[rendering.index]]


def _pieces(scan: Scan, labels: NDArray[np.int16]) -> Pieces:
    if scan.mesh is None:
        places = scan.points
        piece = superpoints(places)
    else:
        cloud = sample_surface(scan, 4096).points
        places = scan.mesh.triangles().mean(1)
        piece = superpoints(cloud)[cKDTree(cloud).query(places)[1]]
    piece = np.unique(piece, return_inverse=True)[1].astype(np.int32)
    count = int(piece.max()) + 1
    votes = np.zeros((count, len(scan.parts) + 1))
    np.add.at(votes, (piece, labels), 1)  # the last column: unlabeled
    label = votes.argmax(1)
    label[label == len(scan.parts)] = -1
    size = np.bincount(piece)[:, None]
    center = np.stack([np.bincount(piece, places[:, axis]) for axis in range(3)], 1) / size
    far = np.linalg.norm(center[:, None] - center[None], axis=2)
    far[(label[:, None] == label) | (label < 0)] = np.inf
    beside = np.where(np.isfinite(far.min(1)), label[far.argmin(1)], label)
    return Pieces(piece, label, beside)


def _blobs(
    errors: ErrorRates,
    truth: NDArray[np.int16],
    index: NDArray[np.int32],
    pieces: Pieces,
    place: NDArray[np.int64],
) -> NDArray[np.int16]:
    """The true part of each pixel `[V, H, W]` with whole superpoints and whole views called wrong.  place: part of each
    label."""
    rng = generator(errors.preset.seed, "pieces", errors.shape)
    part, beside = place[pieces.label], place[pieces.beside]
    wrong = rng.random(len(part)) < errors.wrong[part]
    name = np.where(wrong, errors.mistaken[part], part)
    name = np.where((rng.random(len(part)) < errors.preset.leak) & (beside >= 0), beside, name)
    damaged = truth.copy()
    for view, labels in enumerate(damaged):
        own = generator(errors.preset.seed, "blobs", errors.shape, str(view))
        given = np.where(own.random(len(part)) < SHOWN, name, part)
        changed = given != part
        if own.random() < errors.preset.lost_views:
            given, changed = np.full(len(part), errors.favorite), np.ones(len(part), bool)
        pixel = pieces.piece[np.maximum(index[view], 0)]
        labels[:] = np.where((labels >= 0) & changed[pixel], given[pixel], labels)
    return damaged


def chosen_teacher(line: str, seed: int = 0) -> str | MakeTeacher:
    """A teacher's line as `MethodConfig` takes it; `controlled:PRESET` makes one that knows the truth of the shapes,
    one for each method, since it remembers the truth of the clouds that it was given."""
    kind, _, preset = line.partition(":")
    if kind != "controlled":
        return line

    def make(shapes: Sequence[Shape]) -> ControlledTeacher:
        teacher = ControlledTeacher(preset, seed)
        for shape in shapes:
            teacher.reveal(shape.labeled)
        return teacher

    return make


class ErrorRates:
    """The error rates of one shape: `wrong [P]`, `missed [P]`, the name each part is mistaken for `[P]`, and the
    favorite, which boxes around the whole object get."""

    def __init__(self, preset: Preset, category: str, parts: tuple[str, ...], shape: str) -> None:
        self.preset, self.parts, self.shape = preset, parts, shape
        count = len(parts)
        kind = generator(preset.seed, "category", category, *parts)
        order = kind.permutation(count)
        steepness = (np.linspace(0, 1, count) ** 2)[order] if count > 1 else np.zeros(1)
        step = int(kind.integers(1, count)) if count > 1 else 0
        self.mistaken = (np.arange(count) + step) % count
        own = generator(preset.seed, "shape", category, shape)
        self.wrong = self._vary(own, preset.wrong, steepness)
        self.missed = self._vary(own, preset.missed, 1 - steepness)
        self.favorite = int(own.integers(count))

    def _vary(
        self, rng: np.random.Generator, rates: tuple[float, float], steepness: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        drawn = rates[0] + (rates[1] - rates[0]) * steepness + self.preset.vary * rng.uniform(-1, 1, len(steepness))
        return np.clip(drawn, 0, 0.9) if rates[1] > 0 else np.zeros(len(steepness))

    def view(self, number: int) -> np.random.Generator:
        """The random numbers of one view."""
        return generator(self.preset.seed, "view", self.shape, str(number))

    def name(self, rng: np.random.Generator, part: NDArray[np.int64]) -> NDArray[np.int64]:
        """The names that the teacher gives to true parts `[K]`."""
        given = np.where(rng.random(len(part)) < self.wrong[part], self.mistaken[part], part)
        other = (given + rng.integers(1, max(len(self.parts), 2), len(part))) % len(self.parts)
        return np.where(rng.random(len(part)) < self.preset.flips, other, given)


def generator(seed: int, *words: str) -> np.random.Generator:
    """Random numbers that depend on a seed and on names, equal on every machine."""
    digest = hashlib.sha256("\0".join((str(seed), *words)).encode()).digest()
    return np.random.default_rng(np.frombuffer(digest, np.uint32))


def _patches(errors: ErrorRates, view: int, truth: NDArray[np.int16]) -> NDArray[np.float32]:
    """Scores `[P, 14, 14]`: the commonest part of each patch, damaged, with a confidence that tells little."""
    count, rng = len(errors.parts), errors.view(view)
    height, width = truth.shape
    row, column = np.nonzero(truth >= 0)
    patch = row * PATCHES // height * PATCHES + column * PATCHES // width
    votes = np.bincount(patch * count + truth[row, column], minlength=PATCHES * PATCHES * count).reshape(-1, count)
    given = errors.name(rng, votes.argmax(1))
    sure = 1 / count + (1 - 1 / count) * rng.uniform(0.2, 0.8, len(given))
    scores = np.repeat((1 - sure)[:, None] / max(count - 1, 1), count, 1)
    scores[np.arange(len(given)), given] = sure
    scores[votes.sum(1) == 0] = 0
    return scores.T.reshape(count, PATCHES, PATCHES).astype(np.float32)


def _boxes(errors: ErrorRates, truth: NDArray[np.int16], shown: NDArray[np.bool_]) -> BoxAnswer:
    """The boxes of all views: of each connected region of a part, and those around nothing or everything."""
    rows: list[tuple[NDArray[np.float64], int, float, int]] = []
    for view, labels in enumerate(truth):
        rng = errors.view(view)
        true = _regions(labels, len(errors.parts), max(0.002 * shown[view].sum(), 4))
        seen = rng.random(len(true)) >= errors.missed[np.array([part for _, part in true], np.int64)]
        kept = [region for region, one in zip(true, seen, strict=True) if one]
        given = errors.name(rng, np.array([part for _, part in kept], np.int64))
        for (box, part), name in zip(kept, given, strict=True):
            moved = box + rng.normal(0, errors.preset.off, 4) * np.tile(box[2:] - box[:2], 2)
            moved = np.concatenate([np.minimum(moved[:2], moved[2:]), np.maximum(moved[:2], moved[2:])])
            quality = float(box_iou(moved, box[None])[0]) if name == part else 0.2
            rows.append((moved, int(name), 0.3 + 0.3 * quality + rng.normal(0, 0.15), view))
        if shown[view].any():
            rows += [(box, part, rng.uniform(0.2, 0.7), view) for box, part in _idle(errors, rng, shown[view])]
    boxes = np.array([row[0] for row in rows], np.float32).reshape(-1, 4)
    confidence = np.clip([row[2] for row in rows], 0.05, 0.95).astype(np.float32)
    return BoxAnswer(boxes, np.array([r[1] for r in rows], "i2"), confidence, np.array([r[3] for r in rows], "i2"))


def _regions(labels: NDArray[np.int16], count: int, least: float) -> list[tuple[NDArray[np.float64], int]]:
    """Box (left, top, right, bottom) and part of every connected region of at least `least` pixels."""
    found = []
    for part in range(count):
        region, number = ndimage.label(labels == part, NEIGHBORS)
        sizes = np.bincount(region.ravel(), minlength=number + 1)[1:]
        for (down, across), size in zip(ndimage.find_objects(region), sizes, strict=True):
            if size >= least:
                found.append((np.array([across.start, down.start, across.stop, down.stop], float), part))
    return found


def _idle(
    errors: ErrorRates, rng: np.random.Generator, shown: NDArray[np.bool_]
) -> list[tuple[NDArray[np.float64], int]]:
    """Boxes around nothing in particular, with any name, and around the whole object, with the shape's favorite."""
    rows, columns = np.flatnonzero(shown.any(1)), np.flatnonzero(shown.any(0))
    low = np.array([columns[0], rows[0]], float)
    extent = np.array([columns[-1], rows[-1]]) + 1 - low
    boxes = []
    for _ in range(rng.poisson(errors.preset.spurious)):
        center, half = low + extent * rng.random(2), extent * rng.uniform(0.08, 0.35, 2)
        boxes.append((np.concatenate([center - half, center + half]), int(rng.integers(len(errors.parts)))))
    around, loose = np.concatenate([low, low + extent]), WHOLE_OFF * np.tile(extent, 2)
    for _ in range(rng.poisson(errors.preset.whole)):
        boxes.append((around + rng.normal(0, loose), errors.favorite))
    return boxes

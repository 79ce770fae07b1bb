# SPDX-License-Identifier: Apache-2.0
"""Units that a student has re-scored, with what it takes to look at them."""

from __future__ import annotations

import os
import zipfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from partdistill_ros.distillation.backward import Rescored
from partdistill_ros.distillation.disk_list import Each
from partdistill_ros.distillation.samples import Sample
from partdistill_ros.distillation.unit_store import ARRAYS
from partdistill_ros.distillation.units import KnowledgeUnits
from partdistill_ros.errors import PartDistillError
from partdistill_ros.io.atomic import atomic_path
from partdistill_ros.io.parsing import parsing
from partdistill_ros.rendering.cameras import Views

SCHEMA = 1
CAMERAS = ("rotation", "position", "focal")


@dataclass(frozen=True)
class RescoredUnits:
    """One scan's units before and after backward distillation.

    points: `[N, 3] f4` that the units index.  units: with the teacher's scores.  new_score: `[K] f4`
    that the student gave (`kept-mass` may exceed 1).  views: the cameras that `units.view` counts, in
    the frame of the points; none where they are unknown.
    """

    name: str
    category: str
    points: NDArray[np.float32]
    units: KnowledgeUnits
    new_score: NDArray[np.float32]
    views: Views

    def __post_init__(self) -> None:
        if self.points.shape != (self.units.n_points, 3) or self.new_score.shape != (len(self.units),):
            raise PartDistillError(
                f"{self.name}: points {self.points.shape} and new_score {self.new_score.shape} do not fit "
                f"{len(self.units)} units of {self.units.n_points} points"
            )

    def change(self) -> NDArray[np.float32]:
        """New less old score `[K]`."""
        return self.new_score - self.units.score

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write one `.npz`, whole or not at all. Raises PartDistillError where it cannot be written."""
        arrays: dict[str, Any] = {name: getattr(self.units, name) for name in ARRAYS}
        arrays |= {name: getattr(self.views, name) for name in CAMERAS}
        arrays |= {"points": self.points.astype(np.float32), "new_score": self.new_score.astype(np.float32)}
        arrays |= {"parts": np.array(self.units.parts, str), "name": self.name, "category": self.category}
        arrays |= {"view_names": np.array(self.views.names, str), "orthographic": self.views.orthographic}
        with atomic_path(path) as temporary:
            np.savez_compressed(temporary, **arrays, graded_schema=SCHEMA)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> RescoredUnits:
        """Read what `save` wrote. Raises PartDistillError for a damaged file or one of another kind."""
        if not os.path.exists(path):
            raise PartDistillError(f"{path} does not exist: check the path")
        with parsing(path, "file of rescored units", "train anew"):
            with np.load(path, allow_pickle=False) as file:
                if int(file["graded_schema"]) != SCHEMA:
                    raise ValueError(f"version {int(file['graded_schema'])}, known is {SCHEMA}")
                points, new_score = file["points"], file["new_score"]
                parts = tuple(str(name) for name in file["parts"])
                units = KnowledgeUnits(**{name: file[name] for name in ARRAYS}, n_points=len(points), parts=parts)
                names = tuple(str(name) for name in file["view_names"])
                cameras = {name: file[name] for name in CAMERAS}
                views = Views(**cameras, orthographic=bool(file["orthographic"]), names=names)
                rescored = cls(str(file["name"]), str(file["category"]), points, units, new_score, views)
        if not (np.isfinite(rescored.new_score).all() and np.isfinite(units.score).all()):
            raise PartDistillError(f"{path}: the scores are not all finite: train anew")
        return rescored


def rescored_units(samples: Sequence[Sample], rescored: Sequence[Rescored]) -> Sequence[RescoredUnits]:
    """Every sample's units with their old scores and the present ones."""

    def both(sample: Sample, one: Rescored) -> RescoredUnits:
        views = Views.none() if sample.views is None else sample.views
        return RescoredUnits(sample.name, sample.category, sample.points, sample.units, one.units.score, views)

    return Each(both, samples, rescored)


def save_rescored(rescored: Sequence[RescoredUnits], folder: Path) -> None:
    """Write a file for each scan into `folder`, instead of those of an earlier run (`partdistill units` draws them)."""
    for stale in folder.glob("*.npz"):
        stale.unlink()
    names: Counter[str] = Counter()
    for one in rescored:
        stem = Path(one.name).name
        names[stem] += 1
        one.save(folder / f"{stem if names[stem] == 1 else f'{stem}_{names[stem]}'}.npz")


def find_rescored(path: Path) -> list[Path]:
    """The files that a work folder of `distill`, a folder or a file stands for, by name."""
    if not path.is_dir():
        return [path]
    folder = path / "backward" if (path / "backward").is_dir() else path
    return sorted(file for file in folder.glob("*.npz") if not file.name.startswith(".") and _is_rescored(file))


def _is_rescored(path: Path) -> bool:
    """By the table of contents; a file whose table cannot be read counts, so that it is reported."""
    try:
        with zipfile.ZipFile(path) as archive:
            return "graded_schema.npy" in archive.namelist()
    except (OSError, zipfile.BadZipFile):
        return True

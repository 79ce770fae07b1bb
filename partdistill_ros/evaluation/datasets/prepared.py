# SPDX-License-Identifier: Apache-2.0
"""What the authors of PartDistill publish: ShapeNetPart shapes with the boxes of GLIP already on their points.

SYNSET/ID/extracted/preprocess.h5 (their loader names aggregated_v2.h5), whose fields `distillation/import_h5.py` tells,
and the lists of train_test_split/ of ShapeNetPart. The truth, `gt_semantic_seg` 0..49, is read here, for scoring alone;
`prepared_units` reads all but the truth.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from partdistill_ros.errors import PartDistillError
from partdistill_ros.evaluation.datasets.shapenetpart import CATEGORIES, LISTS, listed, shape_scan
from partdistill_ros.io.parsing import parsing
from partdistill_ros.pointcloud.scan import Scan

if TYPE_CHECKING:
    from partdistill_ros.distillation.units import KnowledgeUnits

FILES = ("preprocess.h5", "aggregated_v2.h5")
REMEDY = "download the prepared data that https://github.com/ardianumam/PartDistill links"


def is_prepared(folder: Path) -> bool:
    """Whether the folder holds the authors' preparation."""
    return any(next(folder.glob(f"*/*/extracted/{name}"), None) is not None for name in FILES)


def read_prepared(folder: Path, split: str = "test", categories: Sequence[str] = ()) -> list[Scan]:
    """The labeled clouds of a split, all of them or those of some categories, by category and name; shapes of the
    split that were not prepared are left out, as the authors leave them out.

    Raises PartDistillError, with what to download, for missing lists, broken files, and where nothing is left.
    """
    from partdistill_ros.distillation.import_h5 import require_h5py

    h5py = require_h5py()
    scans = []
    for category, name in listed(folder, split, categories):
        path = _file(folder, category, name)
        if path is None:
            continue
        with parsing(path, "HDF5 file", REMEDY), h5py.File(path, "r") as file:
            points, labels = np.asarray(file["xyz"]), np.asarray(file["gt_semantic_seg"]).ravel()
        own = labels.astype(np.int64) - CATEGORIES[category]["first_label"]
        scans.append(shape_scan(category, name, points, own))
    if not scans:
        raise PartDistillError(f"{folder} holds no prepared shape of the list {LISTS}/ for '{split}': {REMEDY}")
    return scans


def prepared_units(folder: Path, name: str) -> KnowledgeUnits | None:
    """The units about the points of a shape that `read_prepared` gave, by its name; None where it has no boxes."""
    from partdistill_ros.distillation.import_h5 import read_preprocess, require_h5py

    category, _, own = name.partition("_")
    path = _file(folder, category, own)
    if path is None:
        raise PartDistillError(f"{folder} holds no prepared shape {name}: {REMEDY}")
    with parsing(path, "HDF5 file", REMEDY), require_h5py().File(path, "r") as file:
        if not np.asarray(file["conf_bbox"]).any():
            return None
    parts = CATEGORIES[category]["parts"]
    asked = parts[: len(CATEGORIES[category]["prompts"])]  # two of the lamp's four
    return replace(read_preprocess(path, asked, category).units, parts=tuple(parts))


def _file(folder: Path, category: str, name: str) -> Path | None:
    home = folder / CATEGORIES[category]["synset"] / name / "extracted"
    return next((home / file for file in FILES if (home / file).is_file()), None)

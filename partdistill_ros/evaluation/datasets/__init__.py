# SPDX-License-Identifier: Apache-2.0
"""Public data sets in the layouts that people download, each with its splits, part names and up axis."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from partdistill_ros.evaluation.datasets.partnete import is_partnete, partnete_parts, read_partnete
from partdistill_ros.evaluation.datasets.shapenetpart import CATEGORIES, is_shapenetpart, read_shapenetpart
from partdistill_ros.pointcloud.scan import Scan

SPLITS = ("train", "val", "test")


def is_dataset(folder: Path) -> bool:
    """Whether a folder holds a data set that `read_dataset` knows."""
    return is_shapenetpart(folder) or is_partnete(folder)


def categories_of(folder: Path) -> tuple[str, ...]:
    """The names of a data set's categories."""
    return tuple(CATEGORIES if is_shapenetpart(folder) else partnete_parts(folder))


def read_dataset(folder: Path, split: str, categories: Sequence[str] = ()) -> list[Scan]:
    """The labeled shapes of a split; no category means all. Raises PartDistillError as the readers do."""
    read = read_shapenetpart if is_shapenetpart(folder) else read_partnete
    return read(folder, split, categories)

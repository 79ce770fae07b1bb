# SPDX-License-Identifier: Apache-2.0
"""Public data sets in the layouts that people download, each with its splits, part names and up axis."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from partdistill_ros.evaluation.datasets.coseg import coseg_parts, is_coseg, read_coseg
from partdistill_ros.evaluation.datasets.partnete import is_partnete, partnete_parts, read_partnete
from partdistill_ros.evaluation.datasets.prepared import is_prepared, read_prepared
from partdistill_ros.evaluation.datasets.psb import is_psb, psb_parts, read_psb
from partdistill_ros.evaluation.datasets.shapenetpart import CATEGORIES, is_shapenetpart, read_shapenetpart
from partdistill_ros.pointcloud.scan import Scan

SPLITS = ("train", "val", "test")


@dataclass(frozen=True)
class DataSet:
    """is_here: whether a folder holds it.  categories: of a folder that does.  read: the labeled shapes of a split and
    of some categories, no category meaning all."""

    name: str
    is_here: Callable[[Path], bool]
    categories: Callable[[Path], Iterable[str]]
    read: Callable[[Path, str, Sequence[str]], list[Scan]]


# The first whose folder it is reads it: the prepared data lie in folders named as ShapeNetPart's.
DATA_SETS = (
    DataSet("PartDistill's prepared data", is_prepared, lambda _: CATEGORIES, read_prepared),
    DataSet("ShapeNetPart", is_shapenetpart, lambda _: CATEGORIES, read_shapenetpart),
    DataSet("PartNetE", is_partnete, partnete_parts, read_partnete),
    DataSet("PSB", is_psb, psb_parts, read_psb),
    DataSet("COSEG", is_coseg, coseg_parts, read_coseg),
)


def data_set(folder: Path) -> DataSet | None:
    """The data set that a folder holds, None for none that is known."""
    return next((one for one in DATA_SETS if folder.is_dir() and one.is_here(folder)), None)


def is_dataset(folder: Path) -> bool:
    """Whether a folder holds a data set that `read_dataset` knows."""
    return data_set(folder) is not None


def categories_of(folder: Path) -> tuple[str, ...]:
    """The names of a data set's categories."""
    return tuple(_found(folder).categories(folder))


def read_dataset(folder: Path, split: str, categories: Sequence[str] = ()) -> list[Scan]:
    """The labeled shapes of a split; no category means all. Raises PartDistillError as the readers do."""
    return _found(folder).read(folder, split, categories)


def _found(folder: Path) -> DataSet:
    found = data_set(folder)
    if found is None:
        raise ValueError(f"{folder} is no data set")
    return found

# SPDX-License-Identifier: Apache-2.0
"""ShapeNetPart (Yi et al., SIGGRAPH Asia 2016), 16 categories, 50 part labels, in the three layouts to download.

normal  SYNSET/ID.txt with lines `x y z nx ny nz label`, label 0..49, and train_test_split/shuffled_SPLIT_file_list.json
points  SYNSET/points/ID.pts and SYNSET/points_label/ID.seg (or SYNSET/expert_verified/points_label/ID.seg), labels from
        1 within the category, 0 unlabeled, and the same lists
hdf5    SPLIT_hdf5_file_list.txt and all_object_categories.txt, files of `data [B, 2048, 3], label [B, 1],
        pid [B, 2048]`, pid 0..49; in the folder itself or in hdf5_data/

Categories, part names, up axis and their sources are in shapenetpart.json.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from partdistill_ros.errors import MissingDependencyError, PartDistillError
from partdistill_ros.pointcloud.frames import parse_up
from partdistill_ros.pointcloud.scan import Scan

INFO: dict[str, Any] = json.loads(Path(__file__).with_suffix(".json").read_text(encoding="utf-8"))
CATEGORIES: dict[str, dict[str, Any]] = INFO["categories"]
LISTS, HDF5_CATEGORIES = "train_test_split", "all_object_categories.txt"


def is_shapenetpart(folder: Path) -> bool:
    """Whether the folder has one of the three layouts."""
    return _hdf5_folder(folder) is not None or (folder / LISTS).is_dir() or (folder / "PartAnnotation").is_dir()


def read_shapenetpart(folder: Path, split: str = "test", categories: Sequence[str] = ()) -> list[Scan]:
    """The labeled clouds of a split, all of them or those of some categories, by category and name.

    Raises PartDistillError, with what to download, for a missing list or file, for broken ones and for an unknown
    category; MissingDependencyError for the hdf5 layout without h5py.
    """
    unknown = [name for name in categories if name not in CATEGORIES]
    if unknown:
        raise PartDistillError(f"ShapeNetPart has no category '{unknown[0]}': choose among {', '.join(CATEGORIES)}")
    hdf5 = _hdf5_folder(folder)
    if hdf5 is not None:
        scans = list(_read_hdf5(hdf5, split, categories))
    else:
        folder = folder / "PartAnnotation" if (folder / "PartAnnotation").is_dir() else folder
        scans = [_read_shape(folder, *entry) for entry in listed(folder, split, categories)]
    if not scans:
        raise PartDistillError(f"{folder}: the split '{split}' holds no shape of {', '.join(categories)}")
    return scans


def listed(folder: Path, split: str, categories: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Category and name of every shape of a split."""
    path = folder / LISTS / f"shuffled_{split}_file_list.json"
    try:
        entries = json.loads(path.read_text(encoding="utf-8"))
        pairs = sorted(tuple(str(entry).split("/")[-2:]) for entry in entries)
    except FileNotFoundError:
        raise PartDistillError(
            f"{path} is missing: the official splits come with {INFO['downloads']['normal']}; unpack it whole and name "
            "its folder, or copy its train_test_split/ here"
        ) from None
    except (OSError, ValueError, TypeError) as error:
        raise PartDistillError(f"{path} is no list of shapes ({error}): unpack the archive again") from error
    by_synset = {info["synset"]: name for name, info in CATEGORIES.items()}
    for pair in pairs:
        category = by_synset.get(pair[0])
        if len(pair) == 2 and category is not None and (not categories or category in categories):
            yield category, pair[1]


def _read_shape(folder: Path, category: str, name: str) -> Scan:
    """A shape of the layouts `normal` and `points`."""
    info = CATEGORIES[category]
    home = folder / info["synset"]
    if (home / f"{name}.txt").is_file():
        table = _table(home / f"{name}.txt", 7)
        labels = table[:, 6].astype(np.int64) - info["first_label"]
        return shape_scan(category, name, table[:, :3], labels, table[:, 3:6])
    places = (home / "expert_verified" / "points_label", home / "points_label")
    answers = [place / f"{name}.seg" for place in places if (place / f"{name}.seg").is_file()]
    points = home / "points" / f"{name}.pts"
    if not answers or not points.is_file():
        raise PartDistillError(
            f"{home}: shape {name} is in the split and its points or labels are not here: unpack "
            f"{INFO['downloads']['points' if home.joinpath('points').is_dir() else 'normal']} again"
        )
    return shape_scan(category, name, _table(points, 3)[:, :3], _table(answers[0], 1)[:, 0].astype(np.int64) - 1)


def _table(path: Path, columns: int) -> NDArray[np.float64]:
    """Numbers of a text file, `[N, columns]`."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # an empty file is told below
            table = np.loadtxt(path, ndmin=2)
    except (OSError, ValueError) as error:
        raise PartDistillError(f"{path} cannot be read ({error}): unpack the archive again") from error
    if not len(table) or table.shape[1] < columns:
        raise PartDistillError(f"{path} has no {columns} columns of numbers: unpack the archive again")
    return np.asarray(table)


def shape_scan(
    category: str, name: str, points: NDArray[Any], labels: NDArray[np.int64], normals: NDArray[Any] | None = None
) -> Scan:
    """labels: within the category, -1 unlabeled."""
    parts = tuple(CATEGORIES[category]["parts"])
    if len(labels) != len(points) or labels.min(initial=0) < -1 or labels.max(initial=-1) >= len(parts):
        raise PartDistillError(
            f"{name}: {len(labels)} labels from {labels.min(initial=0)} to {labels.max(initial=-1)} for {len(points)} "
            f"points of {category}, which has {len(parts)} parts: the download is damaged or of another data set"
        )
    return Scan(
        points=points.astype(np.float32),
        normals=None if normals is None else normals.astype(np.float32),
        point_labels=labels.astype(np.int16),
        parts=parts,
        category=category,
        up=parse_up(INFO["up"]),
        name=f"{category}_{name}",
    )


def _hdf5_folder(folder: Path) -> Path | None:
    """Where the hdf5 layout lies, None where it does not."""
    return next((place for place in (folder, folder / "hdf5_data") if (place / HDF5_CATEGORIES).is_file()), None)


def _read_hdf5(folder: Path, split: str, categories: Sequence[str]) -> Iterator[Scan]:
    try:
        import h5py
    except ImportError as error:
        raise MissingDependencyError("h5py", "train", "reading ShapeNetPart's hdf5_data") from error
    names = [line.split()[0].lower() for line in (folder / HDF5_CATEGORIES).read_text().splitlines() if line.strip()]
    listing = folder / f"{split}_hdf5_file_list.txt"
    if not listing.is_file():
        raise PartDistillError(f"{listing} is missing: unpack {INFO['downloads']['hdf5']} again")
    for file in listing.read_text().split():
        path = folder / Path(file).name
        try:
            with h5py.File(path, "r") as content:
                clouds, kinds, labels = (np.asarray(content[key]) for key in ("data", "label", "pid"))
        except (OSError, KeyError) as error:
            raise PartDistillError(f"{path}: {error}: unpack {INFO['downloads']['hdf5']} again") from error
        for row, (points, kind, label) in enumerate(zip(clouds, kinds.ravel(), labels, strict=True)):
            category = names[int(kind)] if int(kind) < len(names) else ""
            if category not in CATEGORIES:
                raise PartDistillError(f"{path}: shape {row} is of no category of {folder / HDF5_CATEGORIES}")
            if not categories or category in categories:
                own = label.astype(np.int64) - CATEGORIES[category]["first_label"]
                yield shape_scan(category, f"{path.stem}_{row:04}", points, own)

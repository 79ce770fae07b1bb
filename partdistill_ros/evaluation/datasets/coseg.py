# SPDX-License-Identifier: Apache-2.0
"""COSEG: meshes of up to eleven sets, in the two layouts to download.

original  SET/shapes/N.off and SET/gt/N.seg, a number for each face, or both kinds of files in SET itself; no splits
MeshCNN   coseg_SET/SPLIT/N.obj and coseg_SET/seg/N.eseg, a number for each edge; SPLIT is train or test

The numbers of a set, in rising order, are its parts in the order of coseg.json, or of a parts.json in the folder.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from partdistill_ros.errors import PartDistillError
from partdistill_ros.evaluation.datasets.mesh_labels import faces_of_edges, labeled_mesh, read_numbers, read_triangles
from partdistill_ros.io.parsing import read_json
from partdistill_ros.pointcloud.scan import Mesh, Scan

INFO: dict[str, Any] = json.loads(Path(__file__).with_suffix(".json").read_text(encoding="utf-8"))
CATEGORIES: dict[str, dict[str, Any]] = INFO["categories"]
REMEDY = f"download {INFO['download']}"
OWN_PARTS = "parts.json"


def is_coseg(folder: Path) -> bool:
    """Whether the folder holds at least one set."""
    return bool(_sets(folder))


def coseg_parts(folder: Path) -> dict[str, tuple[str, ...]]:
    """The categories whose sets are there, with their part names. Raises PartDistillError for a broken parts.json."""
    own = read_json(folder / OWN_PARTS) if (folder / OWN_PARTS).is_file() else {}
    if not isinstance(own, dict) or not all(isinstance(names, list) for names in own.values()):
        raise PartDistillError(f'{folder / OWN_PARTS} must hold part names by category, {{"vase": ["neck", "base"]}}')
    return {name: tuple(map(str, own.get(name, CATEGORIES[name]["parts"]))) for name in _sets(folder)}


def read_coseg(folder: Path, split: str = "test", categories: Sequence[str] = ()) -> list[Scan]:
    """The labeled meshes of a split, all of them or those of some categories, by category and name.

    The original layout has no splits: all its shapes are the test's, for methods that learn from these very shapes.
    Raises PartDistillError, with what to download, for missing and broken files, and for another category.
    """
    sets, parts = _sets(folder), coseg_parts(folder)
    unknown = [name for name in categories if name not in sets]
    if unknown:
        raise PartDistillError(f"{folder} has no category '{unknown[0]}': it has {', '.join(sets)}; {REMEDY}")
    scans = [one for name in categories or sorted(sets) for one in _read_set(sets[name], split, name, parts[name])]
    if not scans:
        raise PartDistillError(
            f"{folder} has no shapes of the split '{split}': the original layout has none but test, MeshCNN's has "
            f"train and test; {REMEDY}"
        )
    return scans


def _sets(folder: Path) -> dict[str, Path]:
    """The folder of each category; of two sets the first of those that coseg.json lists."""
    if not folder.is_dir():
        return {}
    by_name = {
        re.sub("^coseg|[^a-z]", "", path.name.lower()): path
        for path in sorted(folder.iterdir())
        if path.is_dir() and (_shapes(path, "test") or (path / "seg").is_dir() or (path / "gt").is_dir())
    }
    found = {name: [by_name[one] for one in info["folders"] if one in by_name] for name, info in CATEGORIES.items()}
    return {name: paths[0] for name, paths in found.items() if paths}


def _shapes(home: Path, split: str) -> list[Path]:
    """The mesh files of a split in either layout."""
    if (home / "train").is_dir() or (home / "test").is_dir():
        return sorted((home / split).glob("*.obj"))
    return sorted([*(home / "shapes").glob("*.off"), *home.glob("*.off")]) if split == "test" else []


def _read_set(home: Path, split: str, category: str, parts: tuple[str, ...]) -> list[Scan]:
    read = [(path, *_read_mesh(home, path)) for path in _shapes(home, split)]
    numbers = np.unique(np.concatenate([labels[labels >= 0] for _, _, labels in read])) if read else np.zeros(0, int)
    first = _first_number(home, numbers)
    return [
        labeled_mesh(
            mesh, np.where(labels < 0, -1, labels - first), category, parts, f"{category}_{path.stem}", INFO["up"],
            f"compare the part names with the pictures and write {OWN_PARTS}, or {REMEDY}",
        )
        for path, mesh, labels in read
    ]  # fmt: skip


def _first_number(home: Path, numbers: NDArray[np.int64]) -> int:
    """The number of the first part: in MeshCNN's classes.txt, else the smallest in the files."""
    classes = home / "classes.txt"
    return int((read_numbers(classes, REMEDY) if classes.is_file() else numbers).min(initial=1 << 30))


def _read_mesh(home: Path, path: Path) -> tuple[Mesh, NDArray[np.int64]]:
    """A mesh and the number of each face."""
    places = [home / "seg" / f"{path.stem}.eseg", home / "gt" / f"{path.stem}.seg", path.with_suffix(".seg")]
    answer = next((place for place in places if place.is_file()), None)
    if answer is None:
        raise PartDistillError(f"{path} has no labels beside it: {REMEDY}")
    mesh, numbers = read_triangles(path, REMEDY), read_numbers(answer, REMEDY)
    return mesh, faces_of_edges(mesh, numbers, answer, REMEDY) if answer.suffix == ".eseg" else numbers

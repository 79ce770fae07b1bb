# SPDX-License-Identifier: Apache-2.0
"""Princeton Segmentation Benchmark (Chen, Golovinskiy, Funkhouser, SIGGRAPH 2009): 380 meshes of 19 categories.

data/off/N.off and data/seg/Benchmark/N/N_K.seg, a segment number for each face by person K; the first person's are
read. The segments have no names: parts.json in the folder names those of each shape that is to be used, in the order
of their numbers, {"201": ["handle", "handle", "jaw", "joint"]}; a name that comes twice is one part. No splits.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from partdistill_ros.errors import PartDistillError
from partdistill_ros.evaluation.datasets.mesh_labels import labeled_mesh, read_numbers, read_triangles
from partdistill_ros.io.parsing import read_json
from partdistill_ros.pointcloud.scan import Scan

DOWNLOAD = "download MeshsegBenchmark-1.0.zip from https://segeval.cs.princeton.edu and name its unpacked folder"
NAMES = "parts.json"
# Categories in the order of their meshes' numbers, 20 each; 261-280 were left out of the benchmark.
CATEGORIES = (
    "human", "cup", "glasses", "airplane", "ant", "chair", "octopus", "table", "teddy", "hand", "pliers", "fish",
    "bird", "", "armadillo", "bust", "mech", "bearing", "vase", "four-legged animal",
)  # fmt: skip


def is_psb(folder: Path) -> bool:
    """Whether the folder holds the benchmark."""
    return (folder / "data" / "seg" / "Benchmark").is_dir()


def psb_parts(folder: Path) -> dict[str, tuple[str, ...]]:
    """The categories of the shapes that parts.json names, with their part names."""
    found: dict[str, tuple[str, ...]] = {}
    for number, names in _names(folder).items():
        category = _category(number)
        found[category] = tuple(dict.fromkeys((*found.get(category, ()), *names)))
    return found


def read_psb(folder: Path, split: str = "test", categories: Sequence[str] = ()) -> list[Scan]:
    """The named shapes, all of them or those of some categories, by category and number.

    Raises PartDistillError where parts.json is missing or does not fit, for missing and broken files, for a split
    other than test and an unknown category.
    """
    if split != "test":
        raise PartDistillError(f"the Princeton benchmark has no split '{split}': all its shapes are the test's")
    parts, names = psb_parts(folder), _names(folder)
    unknown = [name for name in categories if name not in parts]
    if unknown:
        raise PartDistillError(f"{folder / NAMES} names no '{unknown[0]}': it has {', '.join(parts)}")
    scans = []
    for number in sorted(names, key=lambda one: (_category(one), int(one))):
        category = _category(number)
        if not categories or category in categories:
            segments = read_numbers(folder / "data" / "seg" / "Benchmark" / number / f"{number}_0.seg", DOWNLOAD)
            if segments.min(initial=0) < 0 or segments.max(initial=-1) >= len(names[number]):
                raise PartDistillError(
                    f"{folder / NAMES}: shape {number} has segments up to {segments.max(initial=-1)}, and "
                    f"{len(names[number])} of them have names: name all, in the order of their numbers"
                )
            place = np.array([parts[category].index(name) for name in names[number]], np.int64)
            mesh = read_triangles(folder / "data" / "off" / f"{number}.off", DOWNLOAD)
            name = f"{category.replace(' ', '_')}_{number}"
            scans.append(labeled_mesh(mesh, place[segments], category, parts[category], name, None, DOWNLOAD))
    return scans


def _category(number: str) -> str:
    return CATEGORIES[(int(number) - 1) // 20]


def _names(folder: Path) -> dict[str, list[str]]:
    path = folder / NAMES
    if not path.is_file():
        raise PartDistillError(
            f"{path} is missing: the benchmark's segments have no names; write there those of each shape, in the order "
            'of their numbers, {"201": ["handle", "handle", "jaw", "joint"]}'
        )
    names = read_json(path)
    if not isinstance(names, dict) or not names:
        raise PartDistillError(f"{path} must hold the names of each shape's segments")
    for number, own in names.items():
        known = number.isdecimal() and 1 <= int(number) <= 20 * len(CATEGORIES) and _category(number)
        if not known or not isinstance(own, list) or not own:
            raise PartDistillError(f"{path}: '{number}' is no mesh of the benchmark with a list of part names")
    return {number: [str(name) for name in own] for number, own in names.items()}

# SPDX-License-Identifier: Apache-2.0
"""A mug on a table as a depth camera sees it from all round, live or recorded into a bag; small scans, and a
collection in which everything that can go wrong has gone wrong."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import orbit
import pytest

from partdistill_ros.io.recorded_scan import CLOUD, MANIFEST, file_hash
from partdistill_ros.io.save import save_scan
from partdistill_ros.pointcloud.scan import Scan
from partdistill_ros.recording.collection import Collection


@pytest.fixture(scope="session")
def view() -> Callable[..., object]:
    """`view(degrees, take=0, shift=0)`: what the camera sees from there, drawn once a session."""
    return cache(orbit.view)


@pytest.fixture
def off() -> Callable[[float, float, int], np.ndarray]:
    """`off(millimeters, degrees, seed)`: an error of tf, `[4, 4]`."""
    from scipy.spatial.transform import Rotation

    def error(millimeters: float, degrees: float, seed: int) -> np.ndarray:
        rng = np.random.default_rng(seed)
        pose = np.eye(4)
        axis, direction = (vector / np.linalg.norm(vector) for vector in rng.normal(size=(2, 3)))
        pose[:3, :3] = Rotation.from_rotvec(np.deg2rad(degrees) * axis).as_matrix()
        pose[:3, 3] = millimeters / 1000 * direction
        return pose

    return error


@pytest.fixture
def make_scan() -> Callable[..., Scan]:
    """`make_scan(name, seed)`: a colored cloud of 300 points in meters, seen from one side."""

    def make(name: str, seed: int = 0) -> Scan:
        rng = np.random.default_rng(seed)
        return Scan(
            rng.normal((0, 0, 1), 0.05, (300, 3)).astype(np.float32),
            colors=rng.integers(0, 256, (300, 3), dtype=np.uint8),
            up=np.array([0, -1, 0], np.float32),
            viewpoint=np.zeros(3, np.float32),
            category="mug",
            name=name,
        )

    return make


@pytest.fixture
def damaged_collection(tmp_path: Path, make_scan: Callable[..., Scan]) -> tuple[Collection, dict[str, str]]:
    """Three valid scans, and damaged ones by name with the words that must tell what is wrong with each."""
    collection = Collection.create(tmp_path / "damaged")
    for number in range(3):
        collection.add(make_scan(f"valid_{number}", number))
    for name in ("cut", "no_cloud", "no_manifest", "no_json", "other", "empty", "nan", "picture", "newer"):
        collection.add(make_scan(name))
    at = collection.folder
    (at / "cut" / CLOUD).write_bytes((at / "cut" / CLOUD).read_bytes()[:500])
    (at / "no_cloud" / CLOUD).unlink()
    (at / "no_manifest" / MANIFEST).unlink()
    (at / "no_json" / MANIFEST).write_text("{")
    (at / "other" / CLOUD).write_bytes((at / "valid_1" / CLOUD).read_bytes())
    _replace(at / "empty", Scan(np.zeros((0, 3), np.float32)))
    _replace(at / "nan", Scan(np.full((9, 3), np.nan, np.float32)))
    (at / "picture" / CLOUD).write_bytes((at / "picture" / "picture.png").read_bytes())
    _sign(at / "picture")
    _change(at / "newer", {"schema": 99})
    (at / "file").write_text("not a folder")
    return collection, {
        "cut": "was cut off or changed",
        "no_cloud": "No such file",
        "no_manifest": "No such file",
        "no_json": "not a whole JSON text",
        "other": "was cut off or changed",
        "empty": "holds no points",
        "nan": "holds no finite point",
        "picture": "cannot be read",
        "newer": "'schema' is 99",
        "file": "is a file, but a recorded scan is a folder",
    }


def _replace(folder: Path, scan: Scan) -> None:
    """Another cloud under a manifest that vouches for it."""
    save_scan(folder / CLOUD, scan)
    _sign(folder)


def _sign(folder: Path) -> None:
    _change(folder, {"sha256": file_hash(folder / CLOUD)})


def _change(folder: Path, changes: dict[str, object]) -> None:
    path = folder / MANIFEST
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))

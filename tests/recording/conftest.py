# SPDX-License-Identifier: Apache-2.0
"""A mug on a table as a depth camera sees it from all round, live or recorded into a bag."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

SCENE = Path(__file__).with_name("orbit.py")


def load(path: Path) -> ModuleType:
    """A module of the tests by its file: test folders are no packages."""
    spec = importlib.util.spec_from_file_location(f"helper_{path.stem}", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def orbit() -> ModuleType:
    """The helper module `orbit.py`."""
    return load(SCENE)


@pytest.fixture(scope="session")
def view(orbit: ModuleType) -> Callable[..., object]:
    """`view(degrees, take=0, shift=0)`: what the camera sees from there, drawn once a session."""
    return cache(orbit.view)


@pytest.fixture
def off() -> Callable[[float, float, int], np.ndarray]:
    """`off(millimetres, degrees, seed)`: an error of tf, `[4, 4]`."""
    from scipy.spatial.transform import Rotation

    def error(millimetres: float, degrees: float, seed: int) -> np.ndarray:
        rng = np.random.default_rng(seed)
        pose = np.eye(4)
        axis, direction = (vector / np.linalg.norm(vector) for vector in rng.normal(size=(2, 3)))
        pose[:3, :3] = Rotation.from_rotvec(np.deg2rad(degrees) * axis).as_matrix()
        pose[:3, 3] = millimetres / 1000 * direction
        return pose

    return error

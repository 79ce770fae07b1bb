# SPDX-License-Identifier: Apache-2.0
"""Benchmarks as modules: they lie in no package and import their neighbours."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

FOLDER = Path(__file__).resolve().parents[2] / "benchmarks"


@pytest.fixture
def load_benchmark(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], ModuleType]:
    """`load_benchmark("loop")` is the module benchmarks/loop.py."""
    monkeypatch.syspath_prepend(str(FOLDER))
    return importlib.import_module

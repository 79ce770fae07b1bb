# SPDX-License-Identifier: Apache-2.0
"""Where the evaluation data lies that the benchmarks measure on unless they are given other shapes."""

from __future__ import annotations

import os
from pathlib import Path


def data_folder() -> Path:
    """PARTDISTILL_DATA, else ../shared/data beside the checkout; holds `shapes/` and `scans/`."""
    root = Path(__file__).resolve().parents[1]
    return Path(os.environ.get("PARTDISTILL_DATA") or root.parent / "shared" / "data")


def shapes_folder() -> Path:
    """The labeled shapes."""
    return data_folder() / "shapes"

# SPDX-License-Identifier: Apache-2.0
"""Benchmarks import each other by name, as the scripts that they are."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "benchmarks"))

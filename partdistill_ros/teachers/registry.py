# SPDX-License-Identifier: Apache-2.0
"""What teachers there are, what each one needs, and whose license its weights have; loads none of them."""

from __future__ import annotations

import os
from dataclasses import dataclass
from importlib.util import find_spec

from partdistill_ros.teachers.spec import DEFAULT_MODELS, WEIGHTS_VARIABLES


@dataclass(frozen=True)
class CatalogEntry:
    """kind: as in `--teacher`.  answer: pixels or boxes.  packages: what must be installed, by import name.
    extra: of this package that installs it.  weights: where they come from.  license: of the weights."""

    kind: str
    answer: str
    packages: tuple[str, ...]
    extra: str
    weights: str
    license: str

    def missing(self) -> tuple[str, ...]:
        """Packages that are not installed."""
        return tuple(package for package in self.packages if find_spec(package) is None)

    def state(self) -> str:
        """In words for a table: `ready`, or what to install."""
        if self.missing():
            return f'pip install "partdistill_ros[{self.extra}]"'
        variable = WEIGHTS_VARIABLES.get(self.kind, "")
        return f"ready, weights in {variable}" if variable and os.environ.get(variable) else "ready"


CATALOG = (
    CatalogEntry("mini", "pixels", ("torch",), "train", "shipped", "Apache-2.0"),
    CatalogEntry(
        "clip",
        "pixels",
        ("torch", "open_clip"),
        "clip",
        f"hub, by default {DEFAULT_MODELS['clip']} (0.6 GB)",
        "MIT (OpenAI, LAION), Apache-2.0 (SigLIP); others: their model card",
    ),
    CatalogEntry(
        "detector",
        "boxes",
        ("torch", "transformers"),
        "detector",
        f"hub, by default {DEFAULT_MODELS['detector']} (0.7 GB)",
        "Apache-2.0 (GroundingDINO, OWLv2)",
    ),
    CatalogEntry("boxes", "boxes", ("torch",), "train", "none: a JSON file of detections", "that of your detector"),
)

# SPDX-License-Identifier: Apache-2.0
"""What every teacher does: for rendered views and part names it answers with pixels or with boxes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from partdistill_ros.errors import PartDistillError
from partdistill_ros.rendering.rasterize import Rendering


@dataclass(frozen=True)
class PixelAnswer:
    """scores: `[V, P, H, W] f4` probability of each part in each pixel, at most 1 in sum and 0 on the background.
    H and W may be a fraction of the picture's size."""

    scores: NDArray[np.float32]

    def __post_init__(self) -> None:
        if self.scores.ndim != 4:
            raise PartDistillError(f"a pixel teacher's scores must be [V, P, H, W], got {self.scores.shape}")


@dataclass(frozen=True)
class BoxAnswer:
    """K boxes: boxes `[K, 4] f4` pixels (left, top, right, bottom) of the rendered picture, part `[K] i2` index into
    the part names, confidence `[K] f4` 0-1, view `[K] i2`."""

    boxes: NDArray[np.float32]
    part: NDArray[np.int16]
    confidence: NDArray[np.float32]
    view: NDArray[np.int16]

    def __post_init__(self) -> None:
        count = len(self.part)
        shapes = (self.boxes.shape, self.part.shape, self.confidence.shape, self.view.shape)
        if shapes != ((count, 4), (count,), (count,), (count,)):
            raise PartDistillError(f"a box answer needs boxes [K,4], part, confidence and view [K], got {shapes}")


class Teacher(Protocol):
    """A vision-language model.

    name: for people.  key: identity for the knowledge store: whatever changes the answers (model, hash of the
    weights, prompts) must change it.  kind: `pixel` or `box`, the answer it gives.  size: side in pixels of the
    pictures it wants.
    """

    @property
    def name(self) -> str: ...
    @property
    def key(self) -> str: ...
    @property
    def kind(self) -> str: ...
    @property
    def size(self) -> int: ...

    def answer(self, rendering: Rendering, parts: Sequence[str], category: str | None) -> PixelAnswer | BoxAnswer:
        """What the pictures show. Raises PartDistillError for names the teacher cannot take."""
        ...

# SPDX-License-Identifier: Apache-2.0
"""What every compared method does, and what is known of them without loading torch: names and what each is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from partdistill_ros.errors import PartDistillError

if TYPE_CHECKING:
    from partdistill_ros.evaluation.shapes import Question

METHODS = {
    "constant": "the category's most frequent part everywhere: the answer to beat",
    "vote": "the teacher alone, its answers about ten views voted onto the points",
    "pointclip": "CLIP alone, as PointCLIP shows it clouds (teacher clip)",
    "pointclip2": "CLIP alone, in the pictures and with the up-sampling of PointCLIP V2 (teacher clip)",
    "mesh-scores": "the same answers summed face by face over the mesh (SATR)",
    "features": "a student of the teacher's dense features, classified by text (OpenScene)",
    "forward": "a student of the teacher's units, forward distillation alone",
    "backward": "forward, then backward distillation (PartDistill)",
    "supervised": "the same student trained on true labels: the ceiling",
}
TRAINED = ("features", "forward", "backward", "supervised")


class Method(Protocol):
    """name: as in the tables.  setting: what it has learned from: `reference` (the truth itself),
    `zero-shot` (nothing of this kind), `tta` (these shapes, without labels), `pre` (others)."""

    @property
    def name(self) -> str: ...

    @property
    def setting(self) -> str: ...

    def answer(self, questions: Sequence[Question]) -> Iterator[NDArray[np.int16]]:
        """Per question, in order, the labels `[POINTS]` of `question.cloud`, -1 for none."""
        ...


def parse_methods(text: str) -> tuple[str, ...]:
    """Method names separated by commas. Raises PartDistillError for one that is unknown or comes twice."""
    names = tuple(name.strip() for name in text.split(",") if name.strip())
    unknown = [name for name in names if name not in METHODS]
    if unknown or not names:
        raise PartDistillError(f"--method {text}: choose among {', '.join(METHODS)}, several separated by commas")
    if len(set(names)) < len(names):
        raise PartDistillError(f"--method {text}: a method is named twice")
    return names

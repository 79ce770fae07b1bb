# SPDX-License-Identifier: Apache-2.0
"""What every method does: a label for each sampled point of each shape."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from partdistill_ros.evaluation.shapes import Question


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

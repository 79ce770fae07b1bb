# SPDX-License-Identifier: Apache-2.0
"""A teacher that is asked for other words than the names of the parts, as each paper asks its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from partdistill_ros.rendering.rasterize import Rendering
from partdistill_ros.teachers.protocol import BoxAnswer, PixelAnswer, Teacher


class PromptedTeacher:
    """prompts: by category and part; a part that has none is asked for by its name."""

    def __init__(self, teacher: Teacher, prompts: Mapping[tuple[str, str], str]) -> None:
        self._teacher, self._prompts = teacher, dict(prompts)
        self.name, self.kind, self.size = teacher.name, teacher.kind, teacher.size
        self.key = f"{teacher.key} {sorted(self._prompts.items())}"

    def answer(self, rendering: Rendering, parts: Sequence[str], category: str | None) -> PixelAnswer | BoxAnswer:
        """The teacher's, about the prompts of `parts`."""
        asked = [self._prompts.get((category or "", part), part) for part in parts]
        return self._teacher.answer(rendering, asked, category)

# SPDX-License-Identifier: Apache-2.0
"""Prompts instead of names: by category and part, and in the key."""

from __future__ import annotations

from partdistill_ros.evaluation.prompted_teacher import PromptedTeacher


class Listener:
    name, key, kind, size = "listener", "listener-1", "pixel", 48

    def answer(self, rendering, parts, category):
        return list(parts), category


def test_prompts_stand_for_the_parts_of_their_category():
    teacher = PromptedTeacher(Listener(), {("cap", "crown"): "panels or crown"})
    assert teacher.answer(None, ("crown", "visor"), "cap") == (["panels or crown", "visor"], "cap")
    assert teacher.answer(None, ("crown",), "tree") == (["crown"], "tree")
    assert (teacher.name, teacher.kind, teacher.size) == ("listener", "pixel", 48)
    assert teacher.key != PromptedTeacher(Listener(), {("cap", "crown"): "top"}).key != Listener.key

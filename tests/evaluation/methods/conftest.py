# SPDX-License-Identifier: Apache-2.0
"""The random CLIPs of the teachers' tests, and students so small that a training takes a second."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.distillation.conftest import SMALL
from tests.teachers.conftest import clip_folder, open_clip, own_cache  # noqa: F401


@pytest.fixture
def tiny_students(monkeypatch):
    """Two steps an epoch on two clouds of 256 points; what `new_student` was asked for."""
    from partdistill_ros.evaluation.methods import distilled_student
    from partdistill_ros.students.patch_transformer import PatchTransformer

    asked = []

    def new_student(*wanted):
        asked.append(wanted)
        return PatchTransformer(replace(SMALL, dim=wanted[1]))

    usual = distilled_student.schedule_for
    monkeypatch.setattr(distilled_student, "new_student", new_student)
    monkeypatch.setattr(
        distilled_student,
        "schedule_for",
        lambda samples, **known: replace(usual(samples, **known), min_steps=2, batch=2),
    )
    return asked

# SPDX-License-Identifier: Apache-2.0
"""The toy student of `toy_student.py` as a bundle and in its pieces."""

from __future__ import annotations

from pathlib import Path

import pytest
from toy_student import make_spec, make_student, make_vocabulary

from partdistill_ros.inference.bundle import Bundle, write_bundle
from partdistill_ros.inference.vocabulary import Vocabulary


@pytest.fixture(scope="session")
def toy_model() -> bytes:
    return make_student()


@pytest.fixture
def toy_path(tmp_path: Path, toy_model: bytes) -> Path:
    """A freshly written toy bundle."""
    return write_bundle(tmp_path / "toy", toy_model, make_spec(), make_vocabulary())


@pytest.fixture
def toy_bundle(toy_path: Path) -> Bundle:
    return Bundle.load(toy_path)


@pytest.fixture(scope="session")
def student_maker():
    return make_student


@pytest.fixture(scope="session")
def spec_maker():
    return make_spec


@pytest.fixture(scope="session")
def toy_vocabulary() -> Vocabulary:
    return make_vocabulary()

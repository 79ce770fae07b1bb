# SPDX-License-Identifier: Apache-2.0
"""Labeled posts, and a toy student that knows them."""

from __future__ import annotations

from pathlib import Path

import posts
import pytest
from toy_student import write_toy

from partdistill_ros.inference.segmenter import Segmenter


@pytest.fixture(scope="session")
def toy_bundle(tmp_path_factory) -> Path:
    """Its student answers `top` above the middle and `bottom` below it."""
    return write_toy(tmp_path_factory.mktemp("bundles") / "toy")


@pytest.fixture(scope="session")
def toy_segmenter(toy_bundle) -> Segmenter:
    """The toy as it answers."""
    return Segmenter(toy_bundle, "cpu")


@pytest.fixture(scope="session")
def make_post():
    """See `posts.make_post`."""
    return posts.make_post

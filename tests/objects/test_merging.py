# SPDX-License-Identifier: Apache-2.0
"""Pairs are joined from the surest on, and what speaks against it counts."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from partdistill_ros.errors import PartDistillError
from partdistill_ros.objects.affinity import load_weights, network_scores
from partdistill_ros.objects.contacts import FEATURES, Contacts
from partdistill_ros.objects.merging import join


def contacts(pairs: list[tuple[int, int]]) -> Contacts:
    first, second = np.array(pairs).T
    return Contacts(first, second, np.zeros((len(pairs), len(FEATURES)), np.float32))


def test_joins_add_up() -> None:
    pairs = contacts([(0, 1), (1, 2), (0, 2), (2, 3)])
    # 1 and 2 alone would join, but 0, which is surer of 1, is against it
    objects = join(5, pairs, np.array([3, 1, -2, 2], np.float32))
    assert objects[0] == objects[1] != objects[2] == objects[3]
    assert len(set(objects.tolist())) == 3
    together = join(5, pairs, np.array([3, 1, -0.5, 2], np.float32))
    assert len(set(together[:4].tolist())) == 1


def test_no_pairs() -> None:
    assert join(3, contacts([(0, 1)]), np.array([-1], np.float32)).tolist() == [0, 1, 2]


def test_the_network_is_that_of_these_features(tmp_path: Path) -> None:
    scores = network_scores(contacts([(0, 1), (1, 2)]))
    assert scores.shape == (2,) and np.isfinite(scores).all()
    np.savez(tmp_path / "other.npz", features=np.array(["edge"]))
    with pytest.raises(PartDistillError, match="measures other features"):
        load_weights(tmp_path / "other.npz")
    (tmp_path / "text.npz").write_text("no network")
    with pytest.raises(PartDistillError, match="cannot read the affinity network.*'convex'"):
        load_weights(tmp_path / "text.npz")

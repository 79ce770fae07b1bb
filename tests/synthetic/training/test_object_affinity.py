# SPDX-License-Identifier: Apache-2.0
"""A few scenes teach the network to tell most pairs of patches of others."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from partdistill_ros.objects.affinity import load_weights, network_scores
from partdistill_ros.objects.contacts import Contacts
from partdistill_ros.synthetic.training.object_affinity import AffinityConfig, collect_pairs, train


def test_training_beats_the_constant_answer(tmp_path: Path) -> None:
    config = AffinityConfig(scenes=12, steps=300, batch=256)
    weights = train(collect_pairs(config), config)
    np.savez(tmp_path / "affinity.npz", **weights)
    others = collect_pairs(replace(config, scenes=4, first_seed=200_000))
    index = np.arange(len(others.features))
    scores = network_scores(Contacts(index, index, others.features), load_weights(tmp_path / "affinity.npz"))
    right = np.average((scores > 0) == (others.same > 0), weights=others.weight)
    constant = np.average(others.same, weights=others.weight)
    assert right > max(constant, 1 - constant) + 0.03

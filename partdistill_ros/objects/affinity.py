# SPDX-License-Identifier: Apache-2.0
"""A small network that says for two patches whether they are one object; it needs nothing but numpy."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from partdistill_ros.errors import PartDistillError
from partdistill_ros.objects.contacts import FEATURES, Contacts
from partdistill_ros.objects.merging import convexity_scores
from partdistill_ros.pointcloud.perceptron import load_perceptron, perceptron

WEIGHTS = Path(__file__).parents[1] / "models" / "objects" / "affinity.npz"

SUREST = 6.0  # log-odds to which the network's answer is bounded
MOST_ROUND = 0.55  # of a patch seen from one side: a half cylinder has 0.36, a half ball 0.5
NETWORK_WEIGHT = 0.7  # against that of convexity; real clutter is cut alike with 0.5, and handles get lost


@cache
def load_weights(path: Path = WEIGHTS) -> dict[str, NDArray[np.float32]]:
    """Those of a `perceptron`. Raises PartDistillError for another network, or a file that cannot be read."""
    weights = load_perceptron(path, "the affinity network", "use the object method 'convex'")
    if tuple(weights.get("features", ())) != FEATURES:
        raise PartDistillError(f"the affinity network {path} measures other features: train it again")
    return weights


def learned_scores(contacts: Contacts, weight: float = NETWORK_WEIGHT) -> NDArray[np.float32]:
    """Log-odds `[E]` that both patches of a pair are one object: a weighted mean of the network's (by its
    `weight`) and of those by convexity.

    The network knows handles and hollow things, and is too sure of pairs that made-up clutter does not hold; both
    together part and join more on real clutter than either does. Pieces of one face on two sides of something in
    front are left to geometry, and so is what goes all around in merged views: the network has seen single ones only.
    """
    convexity = convexity_scores(contacts)
    if not weight:
        return convexity
    network = network_scores(contacts).clip(-SUREST, SUREST)
    mixed = weight * network + (1 - weight) * convexity
    around = np.maximum(contacts.column("round_large"), contacts.column("round_small")) > MOST_ROUND
    return np.where((contacts.column("through") > 0) | around, convexity, mixed)


def network_scores(contacts: Contacts, weights: dict[str, NDArray[np.float32]] | None = None) -> NDArray[np.float32]:
    """The network's log-odds `[E]` that both patches of a pair are one object."""
    return perceptron(weights or load_weights(), contacts.features)

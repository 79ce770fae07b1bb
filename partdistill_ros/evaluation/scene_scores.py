# SPDX-License-Identifier: Apache-2.0
"""How good an answer is on the objects of a made-up scene, whose truth is known."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from partdistill_ros.evaluation.miou import score_shape
from partdistill_ros.synthetic.families import FAMILIES
from partdistill_ros.synthetic.table_scene import TabletopScene


def score_scene(scene: TabletopScene, labels: NDArray[np.integer], parts: Sequence[str]) -> dict[str, float]:
    """mIoU in per cent of each object, over its parts in view; objects that `parts` does not name, and those without
    parts, are left out.

    labels: `[N]` into `parts`, -1 for none, of the scene's points.
    """
    truth = scene.scan.point_labels
    if truth is None:
        return {}
    scores = {}
    for number, kind in enumerate(scene.objects):
        if kind not in FAMILIES:
            continue
        names, mask = FAMILIES[kind].parts, scene.object_mask(number)
        true = _relabeled(truth[mask], scene.scan.parts, names)
        if (true >= 0).any() and set(names) & set(parts):
            score = score_shape(kind, kind, names, _relabeled(labels[mask], parts, names), true)
            scores[f"{number + 1} {kind}"] = round(100 * score.present, 1)
    return scores


def _relabeled(labels: NDArray[np.integer], parts: Sequence[str], names: Sequence[str]) -> NDArray[np.int16]:
    """Labels into `parts` as labels into `names`, -1 for a part that is not among them."""
    index = [names.index(part) if part in names else -1 for part in parts]
    return np.array([*index, -1], np.int16)[labels]

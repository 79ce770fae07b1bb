# SPDX-License-Identifier: Apache-2.0
"""Animals stand on four legs, figures on two or sit, with their heads in front or on top."""

import numpy as np
import pytest

from partdistill_ros.synthetic.archetypes.limbs import CATEGORIES
from partdistill_ros.synthetic.drawing.family import draw

FIGURES = [category for category in CATEGORIES if "arm" in category.parts or "hand" in category.parts]
ANIMALS = [category for category in CATEGORIES if category not in FIGURES]


def part_points(scan, part):
    """The middles of the faces of a part, of all its kinds (`front leg`, `hind leg`) together."""
    labels = [i for i, name in enumerate(scan.parts) if name.split()[-1] == part]
    return scan.mesh.triangles()[np.isin(scan.mesh.face_labels, labels)].mean(1)


@pytest.mark.parametrize("category", ANIMALS, ids=lambda category: category.name)
def test_an_animal_has_its_legs_below_and_looks_along_x(category):
    for seed in range(8):
        scan = draw(category, seed)
        legs, body, head = (part_points(scan, part) for part in ("leg", "body", "head"))
        legs = np.concatenate([legs, part_points(scan, "foot")])
        # one that lies may let its head, its belly or its tail touch the ground
        assert legs[:, 2].min() <= scan.points[:, 2].min() + 0.15 * np.ptp(scan.points[:, 2])
        assert legs[:, 2].mean() < body[:, 2].mean()
        assert head[:, 0].mean() > body[:, 0].max() - 0.2 * np.ptp(body[:, 0])


@pytest.mark.parametrize("category", FIGURES, ids=lambda category: category.name)
def test_a_figure_has_its_head_on_top_and_an_arm_on_each_side(category):
    for seed in range(8):
        scan = draw(category, seed)
        legs, body, head, arms = (part_points(scan, part)[:, 1:] for part in ("leg", "body", "head", "arm"))
        assert legs[:, 1].mean() < body[:, 1].mean() < head[:, 1].mean()
        assert arms[:, 0].min() < body[:, 0].min() and arms[:, 0].max() > body[:, 0].max()

# SPDX-License-Identifier: Apache-2.0
"""Everyday things out of a few parametric archetypes, a page of proportions each: `CATEGORIES` by name.

An archetype is a file: how its pieces hang together, ranges of proportions, and at its end the categories that are made
of it; `assemblies` are random. All are families as those of `synthetic.families` (`draw(CATEGORIES["dog"], seed)` draws
one labeled shape), but nothing that the package ships is trained on them yet.
"""

from __future__ import annotations

from partdistill_ros.synthetic.archetypes import assemblies, fronts, limbs, shafts
from partdistill_ros.synthetic.families.family import Family

CATEGORIES: dict[str, Family] = {
    category.name: category for archetype in (limbs, fronts, shafts, assemblies) for category in archetype.CATEGORIES
}

# SPDX-License-Identifier: Apache-2.0
"""Everyday things out of a few parametric archetypes, a page of proportions each: `CATEGORIES` by name.

An archetype is a file: how its pieces hang together, ranges of proportions, and at its end the categories that are
made of it (those of `bodies` are in `pages`, `machines`, `workplaces` and `nested`); `assemblies` are random. All are
families as those of `synthetic.families`: `draw(CATEGORIES["dog"], seed)` draws one labeled shape.
"""

from __future__ import annotations

from partdistill_ros.synthetic.archetypes import (
    assemblies,
    fronts,
    limbs,
    machines,
    nested,
    pages,
    pairs,
    shafts,
    vessels,
    workplaces,
)
from partdistill_ros.synthetic.drawing.family import Family

CATEGORIES: dict[str, Family] = {
    category.name: category
    for archetype in (limbs, fronts, shafts, pairs, vessels, pages, machines, workplaces, nested, assemblies)
    for category in archetype.CATEGORIES
}

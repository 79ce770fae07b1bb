# SPDX-License-Identifier: Apache-2.0
"""Further words name one part of a category each, and none that has a name already."""

from __future__ import annotations

from partdistill_ros.synthetic.archetypes import CATEGORIES
from partdistill_ros.synthetic.families import FAMILIES
from partdistill_ros.synthetic.training.more_names import more_names


def test_a_word_means_one_part_of_a_category():
    pairs = 0
    for family in {**FAMILIES, **CATEGORIES}.values():
        words = more_names(family)
        assert list(words) == list(family.parts)
        said = [name for names in words.values() for name in names]
        known = {name for part in family.parts for name in family.names_of(part)}
        assert len(said) == len(set(said)) and not known & set(said), family.name
        pairs += len(said)
    assert pairs > 3000


def test_a_dog_is_no_vessel():
    assert "belly" in more_names(CATEGORIES["dog"])["body"] and "flask" not in more_names(CATEGORIES["dog"])["body"]
    assert {"mug", "stein"} <= set(more_names(FAMILIES["mug"])["cup"])

# SPDX-License-Identifier: Apache-2.0
"""A thing can be divided in several ways, each of which names every part once."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from partdistill_ros.synthetic.training import divisions
from partdistill_ros.synthetic.training.divisions import all_names_of, draw_division, wholes_of
from partdistill_ros.synthetic.training.everyday_shapes import EVERYTHING, HELD_OUT


def named_divisions(category: str, draws: int = 200) -> set[tuple[str, ...]]:
    """The names of all parts, in many draws."""
    family, rng = EVERYTHING[category], np.random.default_rng(0)
    names = all_names_of(family)
    drawn = (draw_division(rng, wholes_of(family), len(family.parts)) for _ in range(draws))
    return {tuple(names[name] for name in division) for division in drawn}


def test_a_whole_is_new_or_one_of_its_parts() -> None:
    for family in EVERYTHING.values():
        for whole in wholes_of(family):
            new = whole.name >= len(family.parts)
            assert len(set(whole.parts)) == len(whole.parts) and max(whole.parts) < len(family.parts)
            assert (new or whole.name in whole.parts) if whole.every else not new and whole.name not in whole.parts


def test_every_kind_is_of_trained_categories() -> None:
    kinds = json.loads(Path(divisions.__file__).with_suffix(".json").read_text(encoding="utf-8"))
    named = {category for kind in kinds.values() for category in kind["categories"]}
    assert named <= set(EVERYTHING) - set(HELD_OUT)


def test_a_laptop_is_divided_as_people_do() -> None:
    seen = named_divisions("notebook computer", 2000)
    fine = EVERYTHING["notebook computer"].parts
    assert fine == ("base", "keyboard", "touchpad", "lid", "screen", "hinge") and fine in seen
    assert ("base", "base", "base", "lid", "lid", "base") in seen
    assert ("keyboard", "keyboard", "keyboard", "screen", "screen", "keyboard") in seen
    assert ("base", "keyboard", "base", "lid", "screen", "base") in seen


def test_what_has_a_new_name_has_all_its_parts() -> None:
    assert named_divisions("faucet") == {("base", "spout", "handle"), ("base", "base", "handle")} | {
        (whole, whole, "handle") for whole in ("body", "tap")
    }


@pytest.mark.parametrize("category", ["person", "mannequin", "oven", "mug", "bottle"])
def test_two_names_are_left_at_least(category: str) -> None:
    assert all(len(set(names)) > 1 for names in named_divisions(category))

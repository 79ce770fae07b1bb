# SPDX-License-Identifier: Apache-2.0
"""Other divisions of a thing into parts, for trainings to ask for: `divisions.json`.

A thing is drawn with fine parts; people divide it as their task needs. A faucet is handle, spout and base, or handle
and body. So what a point is called depends on which other names were asked for.

any: a part that other parts may count to, some or all of them: a head has the ears where nobody asks for ears.
all: what several parts make together, under a new name, or under that of one of them.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from partdistill_ros.synthetic.drawing.family import Family

WHOLE = 0.5  # how often a whole that is still possible is asked for
CHILD = 0.7  # how often a part counts to a whole that may do without it


@dataclass(frozen=True)
class Whole:
    """What parts may be called together: the number of its name among `all_names_of`, its parts, and whether it is
    nothing without one of them."""

    name: int
    parts: tuple[int, ...]
    every: bool


@cache
def _kinds() -> dict[str, Any]:
    kinds: dict[str, Any] = json.loads(Path(__file__).with_suffix(".json").read_text(encoding="utf-8"))
    return kinds


def all_names_of(family: Family) -> tuple[str, ...]:
    """The names of a category's parts, then those of wholes that no part has."""
    wholes = [name for kind in _kinds_of(family) for name in _together(family, kind)]
    return tuple(dict.fromkeys([*family.parts, *wholes]))


def wholes_of(family: Family) -> tuple[Whole, ...]:
    """The wholes that a category can be divided into."""
    names, found = all_names_of(family), []
    for kind in _kinds_of(family):
        for name, parts in kind.get("any", {}).items():
            children = _numbers(family, parts)
            if children and name in family.parts:
                found.append(Whole(names.index(name), children, every=False))
        found += [Whole(names.index(name), parts, every=True) for name, parts in _together(family, kind).items()]
    return tuple(dict.fromkeys(found))


def draw_division(rng: np.random.Generator, wholes: Sequence[Whole], parts: int) -> NDArray[np.int64]:
    """The number of the name under which each part is asked for `[parts]`: its own or that of a whole.

    Every whole that is drawn leaves at least two names.
    """
    division, taken = np.arange(parts), np.zeros(parts, bool)
    for number in rng.permutation(len(wholes)):
        whole = wholes[number]
        members = np.array(whole.parts)
        if not whole.every:
            children = members[~taken[members] & (rng.random(len(members)) < CHILD)]
            members = np.append(children, whole.name)
        trial = division.copy()
        trial[members] = whole.name
        if rng.random() < WHOLE and not taken[members].any() and len(np.unique(trial)) > 1:
            division = trial
            taken[members] = True
    return division


def _kinds_of(family: Family) -> list[dict[str, Any]]:
    return [kind for kind in _kinds().values() if family.name in kind["categories"]]


def _together(family: Family, kind: dict[str, Any]) -> dict[str, tuple[int, ...]]:
    """The wholes of a kind that need all their parts, those with two parts and more in this category."""
    wholes = {name: _numbers(family, parts) for name, parts in kind.get("all", {}).items()}
    return {name: parts for name, parts in wholes.items() if len(parts) > 1}


def _numbers(family: Family, parts: Sequence[str]) -> tuple[int, ...]:
    return tuple(family.parts.index(part) for part in parts if part in family.parts)

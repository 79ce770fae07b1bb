# SPDX-License-Identifier: Apache-2.0
"""Makes the shipped text space: `python -m partdistill_ros.text.build`."""

from __future__ import annotations

from partdistill_ros.synthetic.families import FAMILIES
from partdistill_ros.text.space import DEFAULT_PATH, TextSpace
from partdistill_ros.text.words import OBJECTS, PARTS, fitting_names


def known_names() -> set[str]:
    """Names of every family, of its parts, and their synonyms, beside the everyday ones."""
    names = {word.replace("_", " ") for word in (*OBJECTS, *PARTS)}
    for family in FAMILIES.values():
        names |= {family.name, *family.parts}
        for key, synonyms in family.synonyms.items():
            names |= {key, *synonyms}
    return names


if __name__ == "__main__":
    space = TextSpace.fit(fitting_names(), sorted(known_names()))
    space.save(DEFAULT_PATH)
    print(f"{DEFAULT_PATH}: {len(space.names)} names, {space.dim} dimensions")

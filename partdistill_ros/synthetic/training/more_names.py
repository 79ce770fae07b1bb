# SPDX-License-Identifier: Apache-2.0
"""More of what people call the parts of things, for trainings to draw from: `more_names.json`.

parts: of any category.  kinds: of the categories listed.  things: of one category, the kinds of thing that WordNet 3.1
(Princeton University) knows of it, where a part is nearly the whole thing. A word of another part of the same
category, or one that measures what a student makes of words that it never read, is none.
"""

from __future__ import annotations

import json
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any

from partdistill_ros.synthetic.drawing.family import Family


@cache
def _content() -> dict[str, Any]:
    content: dict[str, Any] = json.loads(Path(__file__).with_suffix(".json").read_text(encoding="utf-8"))
    return content


def more_names(family: Family) -> dict[str, tuple[str, ...]]:
    """Part -> further names, none of them a name or synonym of any part of the category, or of two parts."""
    content, found = _content(), {}
    kinds = [kind["parts"] for kind in content["kinds"].values() if family.name in kind["categories"]]
    for part in family.parts:
        of_kind = [name for kind in kinds for name in kind.get(part, ())]
        own = content["things"].get(family.name, {}).get(part, ())
        found[part] = dict.fromkeys([*(of_kind or content["parts"].get(part, ())), *own])
    taken = {name for part in family.parts for name in family.names_of(part)}
    times = Counter(name for names in found.values() for name in names)
    return {
        part: tuple(name for name in names if times[name] == 1 and name not in taken) for part, names in found.items()
    }

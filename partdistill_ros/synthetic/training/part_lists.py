# SPDX-License-Identifier: Apache-2.0
"""Writes which objects have which parts: `python -m partdistill_ros.synthetic.training.part_lists`.

By them the words of a query tell what each other means (`inference/part_lists.py`). Objects that no training sees are
left out: what a student makes of them tells what it makes of objects that nobody listed.
"""

from __future__ import annotations

import json

from partdistill_ros.inference.part_lists import DEFAULT_PATH
from partdistill_ros.io.atomic import atomic_path
from partdistill_ros.synthetic.training.everyday_shapes import EVERYTHING, FREE, trained_categories
from partdistill_ros.synthetic.training.more_names import more_names


def part_lists() -> dict[str, dict[str, tuple[tuple[str, ...], tuple[str, ...]]]]:
    """Object -> part -> its synonyms, and the further words of `more_names`."""
    found = {}
    for category in trained_categories():
        family, more = EVERYTHING[category], more_names(EVERYTHING[category])
        parts = {part: (family.names_of(part)[1:], more[part]) for part in family.parts}
        if category not in FREE:
            found[category] = parts
    return found


def main() -> None:
    lists = part_lists()
    with atomic_path(DEFAULT_PATH) as temporary:
        temporary.write_text(json.dumps(lists, separators=(",", ":"), ensure_ascii=False) + "\n", encoding="utf-8")
    print(f"{DEFAULT_PATH}: the parts of {len(lists)} objects, {DEFAULT_PATH.stat().st_size / 1e3:.0f} kB")


if __name__ == "__main__":
    main()

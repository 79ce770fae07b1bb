# SPDX-License-Identifier: Apache-2.0
"""The tables that `partdistill reproduce` can fill, as `tables.json` declares them; known without loading torch."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import msgspec

FILE = Path(__file__).with_suffix(".json")
CLASS_MEAN, INSTANCE_MEAN = "class mean", "instance mean"


@dataclass(frozen=True)
class Row:
    """A method with its options.

    method: of `methods.protocol.METHODS`.  setting: `reference`, `zero-shot`, `tta` or `pre`, see `Method.setting`.
    one_for: whether a student is trained for each `category` or one for `all`.  backward, augment, views_of: as in
    `MethodConfig`.  as_published: with the public encoder, frozen, where its file is given.  prompts: the teacher is
    asked for what the authors ask it for.  learns_from: the `train`ing split, `generated` shapes or `both`.
    published: per cent by category, and as `CLASS_MEAN`.
    """

    name: str
    method: str
    setting: str = "zero-shot"
    one_for: str = "category"
    backward: str = "posterior"
    augment: str = "turned"
    as_published: bool = False
    views_of: str = "points"
    prompts: bool = False
    learns_from: str = "train"
    published: dict[str, float] = field(default_factory=dict)

    @property
    def is_trained(self) -> bool:
        """Whether it depends on a seed."""
        return self.setting in ("tta", "pre")


@dataclass(frozen=True)
class Table:
    """data: names of the data sets it is about, none for any labeled shapes.  teacher: by default.  source: of the
    published numbers.  metric: `categories`, means over shapes, or `parts`, means over the parts of their means over
    the shapes that have them.  on_meshes: it wants shapes with faces.  categories: those of the published table, none
    for all.  num_categories: over which the published class means are taken, which stand beside ours over as many
    only; 0: any."""

    title: str
    data: list[str]
    teacher: str
    source: str
    rows: list[Row]
    metric: str = "categories"
    on_meshes: bool = False
    categories: list[str] = field(default_factory=list)
    num_categories: int = 0


def load_tables() -> dict[str, Table]:
    """Every table by its name on the command line."""
    return msgspec.json.decode(FILE.read_bytes(), type=dict[str, Table])

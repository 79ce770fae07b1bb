# SPDX-License-Identifier: Apache-2.0
"""Generated shapes as further training data: files of any generative model, or our procedural families."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from partdistill_ros.errors import PartDistillError
from partdistill_ros.io.load import load_scans
from partdistill_ros.pointcloud.scan import Scan
from partdistill_ros.synthetic.families import FAMILIES, generate

PROCEDURAL = "procedural"


def is_procedural(source: str) -> bool:
    """Whether `source` is `procedural:N` and not a path, such as a folder `procedural_mugs`."""
    return source.partition(":")[0] == PROCEDURAL


def check_share(share: float | None, generated: Sequence[str]) -> None:
    """Refuse a weight of generated shapes that is none, or that weighs nothing. Raises PartDistillError."""
    if share is not None and not 0 < share < float("inf"):
        raise PartDistillError(f"the share of a generated shape must be over 0, got {share}")
    if share is not None and not generated:
        raise PartDistillError("--generated-share says how often a generated shape is drawn: add --generated")


def check_generated(source: str, category: str | None) -> None:
    """Refuse a source that gives nothing: `procedural:N` wants the name of a family as the category, anything else
    must exist. Raises PartDistillError."""
    if not is_procedural(source):
        if not Path(source).exists():
            raise PartDistillError(f"generated shapes '{source}' do not exist: name a file, a folder or procedural:N")
        return
    count = source.partition(":")[2]
    if not count.isdecimal() or int(count) < 1:
        raise PartDistillError(f"'{source}' does not say how many shapes: write for example procedural:50")
    if category not in FAMILIES:
        raise PartDistillError(
            f"there is no procedural family '{category}': make it the category, one of {', '.join(sorted(FAMILIES))}"
        )


def generated_scans(
    source: str, category: str | None, on_skip: Callable[[Path, PartDistillError], None] | None = None
) -> Iterator[Scan]:
    """The shapes of a source that `check_generated` let pass; files that cannot be read go to `on_skip`."""
    if is_procedural(source):
        yield from (generate(str(category), seed) for seed in range(int(source.partition(":")[2])))
    else:
        yield from load_scans([Path(source)], on_skip=on_skip)

# SPDX-License-Identifier: Apache-2.0
"""Is everything in a collection as it was written?"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from partdistill_ros.errors import PartDistillError
from partdistill_ros.io.load import load_scan
from partdistill_ros.recording.collection import Collection

Watch = Callable[[Iterable[Any], str], Iterable[Any]]
"""A progress bar over items, given a label."""


@dataclass
class Checked:
    """Names of sound members; what is wrong with each damaged one; hidden folders of interrupted writers."""

    sound: list[str] = field(default_factory=list)
    damaged: dict[str, str] = field(default_factory=dict)
    unfinished: list[str] = field(default_factory=list)


def check(folder: Path, watch: Watch = lambda items, label: items) -> Checked:
    """Read every cloud. Raises PartDistillError for a folder that is no collection."""
    found = Checked()
    for path in watch(Collection.open(folder).paths(), "check"):
        try:
            load_scan(path)
        except PartDistillError as error:
            found.damaged[path.name] = str(error)
        else:
            found.sound.append(path.name)
    found.unfinished = sorted(path.name for path in folder.glob(".*.tmp"))
    return found


def sound_scans(paths: Iterable[Path], watch: Watch = lambda items, label: items) -> tuple[list[Path], dict[str, str]]:
    """`paths` with every collection among them replaced by its sound members, and what is wrong with the others.

    Raises PartDistillError where a collection holds nothing sound.
    """
    from partdistill_ros.io.recorded_scan import is_collection

    kept: list[Path] = []
    damaged: dict[str, str] = {}
    for path in paths:
        if not is_collection(path):
            kept.append(path)
            continue
        found = check(path, watch)
        damaged |= {str(path / name): problem for name, problem in found.damaged.items()}
        kept += [path / name for name in found.sound]
        if not found.sound:
            others = f": all {len(found.damaged)} members are damaged" if found.damaged else ""
            raise PartDistillError(f"{path} holds no sound scan{others}; see `partdistill collection check {path}`")
    return kept, damaged

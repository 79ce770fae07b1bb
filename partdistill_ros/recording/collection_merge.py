# SPDX-License-Identifier: Apache-2.0
"""Several collections into one."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from partdistill_ros.errors import PartDistillError
from partdistill_ros.io.atomic import atomic_path
from partdistill_ros.recording.collection import Collection, RecordedScan, Skip
from partdistill_ros.recording.collection_check import Watch


@dataclass
class Merged:
    """Names of the members that were copied, and of those that were there already."""

    added: list[str] = field(default_factory=list)
    known: list[str] = field(default_factory=list)


def merge(
    sources: Sequence[Path], out: Path, on_skip: Skip | None = None, watch: Watch = lambda items, label: items
) -> Merged:
    """Copy the sound members of `sources` into the collection `out`, made where it is not there.

    Of a cloud that `out` holds already, only knowledge that is new is copied. Damaged members go to
    `on_skip(path, error)`. Raises PartDistillError for folders that are no collections, or an `out` that cannot be
    written.
    """
    opened = [Collection.open(source) for source in sources]
    for source in opened:
        if out.exists() and source.folder.samefile(out):
            raise PartDistillError(f"{out} cannot be merged into itself: name another collection as the output")
    target = Collection.create(out)
    known = {member.manifest.sha256: member for member in target.members(on_skip)}
    merged = Merged()
    for source in opened:
        for member, _ in watch(source.scans(on_skip), source.folder.name):
            there = known.get(member.manifest.sha256)
            if there is None:
                copied = target.copy(member)
                known[member.manifest.sha256] = copied
                merged.added.append(copied.name)
            else:
                _add_knowledge(member, there)
                merged.known.append(there.name)
    return merged


def _add_knowledge(member: RecordedScan, there: RecordedScan) -> None:
    for file in sorted(member.knowledge.glob("*.npz")):
        place = there.knowledge / file.name
        if not place.exists():
            with atomic_path(place) as temporary:
                shutil.copyfile(file, temporary)

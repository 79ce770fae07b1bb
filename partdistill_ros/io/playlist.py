# SPDX-License-Identifier: Apache-2.0
"""The scans that the publisher plays, one after the other, from a file, a folder or a recording."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from partdistill_ros.errors import PartDistillError
from partdistill_ros.io.load import expand, is_bag, load_scan
from partdistill_ros.io.readers.bag import read_bag
from partdistill_ros.pointcloud.scan import Scan, sample_surface


def play(
    source: str, *, topic: str = "", loop: bool = True, samples: int = 20_000, skip: Callable[[str], None] = print
) -> Iterator[Scan]:
    """Scans in the order of their names, again from the start with `loop`; meshes as `samples` points.

    What cannot be read is reported to `skip` and left out.  One file is read once.  Raises
    PartDistillError for a source that is not there, or in which nothing can be read.
    """
    if not source:
        raise PartDistillError("nothing to play: set the parameter 'source' to a scan file, a folder or a bag")
    path = Path(source).expanduser()
    if not path.exists():
        raise PartDistillError(f"source '{source}' does not exist: check the path")
    if not path.is_dir() and not is_bag(path):
        scan = _cloud(load_scan(path), samples)
        yield scan
        while loop:
            yield scan
    else:
        yield from _rounds(path, topic, loop, samples, skip)


def _rounds(path: Path, topic: str, loop: bool, samples: int, skip: Callable[[str], None]) -> Iterator[Scan]:
    while True:
        played = 0
        for file in expand([path]):
            try:
                for scan in read_bag(file, topic or None) if is_bag(file) else (load_scan(file),):
                    yield _cloud(scan, samples)
                    played += 1
            except PartDistillError as error:
                skip(str(error))
        if not played:
            raise PartDistillError(f"source '{path}' holds nothing that can be played")
        if not loop:
            return


def _cloud(scan: Scan, samples: int) -> Scan:
    return scan if scan.mesh is None else sample_surface(scan, samples)

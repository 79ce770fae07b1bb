# SPDX-License-Identifier: Apache-2.0
"""Sequences whose items lie on disk or are made when asked for, so that memory does not grow with their number.

Items are read with plain reads and not by a memory map: the system's page cache holds what is read often either way,
and pages of a map would count as memory of this process until somebody else needs them.
"""

from __future__ import annotations

import os
import pickle
import tempfile
from array import array
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar, overload

from partdistill_ros.errors import PartDistillError

T = TypeVar("T")


class Lazy(Sequence[T]):
    """A sequence whose items are made by `_item(number)`, each time anew."""

    def _item(self, number: int) -> T:
        raise NotImplementedError

    @overload
    def __getitem__(self, number: int) -> T: ...
    @overload
    def __getitem__(self, number: slice) -> Sequence[T]: ...
    def __getitem__(self, number: int | slice) -> T | Sequence[T]:
        rows = range(len(self))[number]  # negative ones and errors as lists have them
        return Picked(self, rows) if isinstance(rows, range) else self._item(rows)


class DiskList(Lazy[T]):
    """Items in a file without a name, in the folder of temporary files (`TMPDIR`); it ends with this process at the
    latest, and nobody else can write it, so that it may hold pickles.

    An item that is read and changed does not change here: set it. It takes the place of the old one where it fits.
    Raises PartDistillError where the disk is full.
    """

    def __init__(self, items: Iterable[T] = ()) -> None:
        self._file = tempfile.TemporaryFile(buffering=0, prefix="partdistill-")
        self._start, self._size, self._room, self._end = array("q"), array("q"), array("q"), 0
        for item in items:
            self.append(item)

    def __len__(self) -> int:
        return len(self._start)

    @property
    def num_bytes(self) -> int:
        """What the items take on disk."""
        return sum(self._room)

    def append(self, item: T) -> None:
        """One more."""
        for numbers in (self._start, self._size, self._room):
            numbers.append(0)
        self[len(self) - 1] = item

    def __setitem__(self, number: int, item: T) -> None:
        number = range(len(self))[number]
        content = pickle.dumps(item, protocol=5)
        if len(content) > self._room[number]:
            self._start[number], self._room[number] = self._end, len(content)
            self._end += len(content)
        self._size[number] = len(content)
        left, place = memoryview(content), self._start[number]
        try:
            while left:
                written = os.pwrite(self._file.fileno(), left, place)
                left, place = left[written:], place + written
        except OSError as error:
            folder = tempfile.gettempdir()
            raise PartDistillError(
                f"cannot write to {folder}: {error.strerror}; set TMPDIR to a folder with more room"
            ) from error

    def _item(self, number: int) -> T:
        content = os.pread(self._file.fileno(), self._size[number], self._start[number])
        item: T = pickle.loads(content)
        return item


class Picked(Lazy[T]):
    """The items of `rows` of another sequence."""

    def __init__(self, items: Sequence[T], rows: Sequence[int]) -> None:
        self._items, self._rows = items, rows

    def __len__(self) -> int:
        return len(self._rows)

    def _item(self, number: int) -> T:
        return self._items[self._rows[number]]


class Each(Lazy[T]):
    """`function` of each item, or of the items of the same number, of other sequences."""

    def __init__(self, function: Callable[..., T], first: Sequence[Any], *others: Sequence[Any]) -> None:
        self._function, self._items = function, (first, *others)

    def __len__(self) -> int:
        return len(self._items[0])

    def _item(self, number: int) -> T:
        return self._function(*(items[number] for items in self._items))

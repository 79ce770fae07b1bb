# SPDX-License-Identifier: Apache-2.0
"""Seeded messages that no sane program sends: clouds that do not fit their data, and queries that are none."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

Message = Any
LARGEST = 2**32 - 1
UNKNOWN = "zzyzx"
"""Belongs to no vocabulary and is near to none of its names."""


def malformed_cloud(rng: np.random.Generator, cloud: Message) -> Message:
    """Breaks a good organized cloud with x, y, z in one to three ways, so that it cannot be read."""
    for flaw in rng.choice(len(FLAWS), rng.integers(1, 4), replace=False):
        FLAWS[int(flaw)](rng, cloud)
    # Two flaws can mend each other, such as no points and no data; a missing coordinate they cannot mend, and
    # a cloud of no points is valid whatever its fields.
    cloud.width, cloud.height = max(1, cloud.width), max(1, cloud.height)
    if rng.random() < 0.5 or readable(cloud):
        _drop_coordinate(rng, cloud)
    return cloud


def readable(cloud: Message) -> bool:
    """Whether the steps fit the data and x, y and z lie within a point, by the message's definition."""
    needed = (cloud.height - 1) * cloud.row_step + cloud.width * cloud.point_step
    fits = needed <= len(cloud.data) <= cloud.height * cloud.row_step
    sizes = {1: 1, 2: 1, 3: 2, 4: 2, 5: 4, 6: 4, 7: 4, 8: 8, 9: 8, 10: 8, 11: 1}
    whole = all(
        any(
            field.name == name
            and field.count <= 1
            and field.offset + sizes.get(field.datatype, 2**40) <= cloud.point_step
            for field in cloud.fields
        )
        for name in "xyz"
    )
    return fits and whole and cloud.point_step > 0 and cloud.row_step >= cloud.width * cloud.point_step


def valid_cloud(rng: np.random.Generator, cloud: Message) -> Message:
    """A cloud that can be read and holds nothing to label, or numbers that break careless arithmetic."""
    points = np.frombuffer(cloud.data, "<f4").copy().reshape(-1, cloud.point_step // 4)
    kind = rng.integers(6)
    if kind == 0:
        cloud.width, cloud.height, cloud.row_step, points = 0, 1, 0, points[:0]
    else:
        values: tuple[object, ...] = (np.nan, np.inf, 3e38, 0.0, rng.normal(size=(len(points), 3)) * 1e30)
        points[:, :3] = values[int(kind) - 1]
    cloud.data = points.tobytes()
    return cloud


def _sizes(rng: np.random.Generator, cloud: Message) -> None:
    name = str(rng.choice(["width", "height"]))
    setattr(cloud, name, int(rng.choice([1, 2**16, 2**31, LARGEST, rng.integers(LARGEST)])))


def _steps(rng: np.random.Generator, cloud: Message) -> None:
    name = str(rng.choice(["point_step", "row_step"]))
    setattr(cloud, name, int(rng.choice([0, 1, 3, LARGEST, rng.integers(LARGEST)])))


def _data(rng: np.random.Generator, cloud: Message) -> None:
    length = int(rng.integers(0, 2 * len(cloud.data)))
    cloud.data = rng.integers(0, 256, length, np.uint8).tobytes()


def _field(rng: np.random.Generator, cloud: Message) -> None:
    if cloud.fields:
        field = cloud.fields[int(rng.integers(len(cloud.fields)))]
        field.offset = int(rng.choice([field.offset, LARGEST, rng.integers(LARGEST)]))
        field.datatype = int(rng.integers(0, 256))
        field.count = int(rng.choice([0, 2, LARGEST]))


def _names(rng: np.random.Generator, cloud: Message) -> None:
    for field in cloud.fields:
        field.name = str(rng.choice(["", "x", "X", "\x00", "é" * 300, field.name]))


def _drop_coordinate(rng: np.random.Generator, cloud: Message) -> None:
    name = str(rng.choice(list("xyz")))
    cloud.fields = [field for field in cloud.fields if field.name != name]


def _no_fields(rng: np.random.Generator, cloud: Message) -> None:
    cloud.fields = []


FLAWS: tuple[Callable[[np.random.Generator, Message], None], ...] = (
    _sizes, _steps, _data, _field, _names, _drop_coordinate, _no_fields,
)  # fmt: skip


def bad_query(rng: np.random.Generator) -> str:
    """A text that is no query: empty, malformed, endless, with too many names, or with characters that are no text."""
    kind = rng.integers(6)
    if kind == 0:
        return " \t\n,;,"[: int(rng.integers(0, 7))]
    if kind == 1:
        return "mug: handle: cup" + ":" * int(rng.integers(0, 9))
    if kind == 2:
        return ", ".join(["handle"] * int(rng.integers(500, 20_000)))
    if kind == 3:
        return ", ".join(f"{UNKNOWN}{number}" for number in range(int(rng.integers(65, 200))))
    points = rng.integers(1, 0xD800, int(rng.integers(1, 200)))  # below the surrogates
    if kind == 4:
        return f"{UNKNOWN}\x1b" + "".join(map(chr, points))
    return f"handle, cup; {UNKNOWN}\x07{chr(int(points[0]))}"  # DDS cuts texts off at a zero byte

# SPDX-License-Identifier: Apache-2.0
"""PCD files of the Point Cloud Library: ascii, binary and binary_compressed.

Read here rather than by a library: a header is believed only as far as the file has bytes for it, and any white space
separates ascii numbers. pypcd4 unpacks 640 x 480 compressed points in 4 ms instead of 100, but takes 110 ms to import
(pydantic), allocates what a header claims, and refuses text with tabs and copies in compressed points.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from partdistill_ros.io.parsing import malformed, truncated
from partdistill_ros.io.readers import common
from partdistill_ros.io.readers.common import parse_comment, parse_numbers, stack_columns
from partdistill_ros.pointcloud.scan import Scan

UNLABELED_ID = 0xFFFF_FFFF
"""The `label` (u4) of an unlabeled point in the PCD files we write."""

_MAX_HEADER = 65_536  # bytes
_IDENTITY = ["0", "0", "0", "1", "0", "0", "0"]
_TYPES = {
    ("F", 4): "<f4", ("F", 8): "<f8",
    ("U", 1): "u1", ("U", 2): "<u2", ("U", 4): "<u4", ("U", 8): "<u8",
    ("I", 1): "i1", ("I", 2): "<i2", ("I", 4): "<i4", ("I", 8): "<i8",
}  # fmt: skip

Columns = dict[str, NDArray[Any]]


@dataclass(frozen=True)
class PcdHeader:
    """`fields`: name, numpy type and count of each; `start`: byte at which the points begin."""

    fields: tuple[tuple[str, str, int], ...]
    width: int
    height: int
    points: int
    viewpoint: tuple[float, ...]
    encoding: str
    start: int
    extra: dict[str, Any]


def read_pcd(path: Path) -> Scan:
    """Read a PCD file with x, y, z and, where given, rgb/rgba, normals and `label`.

    An organized cloud keeps its grid and NaN rows. The viewpoint is the header's origin when the
    cloud is organized or the origin is not the default zero, else None. Ids in a `label` field
    become parts named by their digits: `int(scan.parts[label])` gives an id back.
    Raises PartDistillError for what is truncated, malformed or absurdly large.
    """
    content = path.read_bytes()
    header = _parse_header(path, content)
    body = memoryview(content)[header.start :]
    columns = _BODIES[header.encoding](path, header, body)
    points = stack_columns(path, columns, "x y z")
    if points is None:
        raise malformed(path, f"its fields {list(columns)} lack x, y or z")
    ids = columns.get("label")
    if ids is not None and "parts" in header.extra:
        ids = np.where(ids == UNLABELED_ID, -1, ids.astype(np.int64))
    labels, parts = common.named_labels(path, header.extra, ids)
    organized = header.height > 1
    origin = header.viewpoint[:3]
    fields: dict[str, Any] = {
        "viewpoint": common.as_viewpoint(path, origin) if organized or any(origin) else None,
        "grid": (header.height, header.width) if organized else None,
    }
    return Scan(
        points=points,
        colors=_packed_colors(columns),
        normals=stack_columns(path, columns, "normal_x normal_y normal_z"),
        point_labels=labels,
        parts=parts,
        name=path.stem,
        **fields | common.extra_fields(path, header.extra, len(points)),
    )


def _parse_header(path: Path, content: bytes) -> PcdHeader:
    entries: dict[str, list[str]] = {}
    extra: dict[str, Any] = {}
    start = 0
    while "DATA" not in entries:
        end = content.find(b"\n", start, _MAX_HEADER)
        if end < 0:
            raise malformed(path, "its header has no DATA line, as every PCD file has")
        line = content[start:end].decode("latin-1").strip()
        start = end + 1
        if line.startswith("#"):
            extra.update(parse_comment(path, line.lstrip("# ")))
        elif line:
            key, *values = line.split()
            entries[key.upper()] = values
    try:
        return _header(path, entries, extra, start)
    except (KeyError, IndexError, ValueError) as error:
        raise malformed(path, f"its PCD header is wrong at {error}") from error


def _header(path: Path, entries: dict[str, list[str]], extra: dict[str, Any], start: int) -> PcdHeader:
    names = entries["FIELDS"]
    kinds, sizes = entries["TYPE"], [int(size) for size in entries["SIZE"]]
    counts = [int(count) for count in entries.get("COUNT", ["1"] * len(names))]
    if not len(names) == len(kinds) == len(sizes) == len(counts) or not all(0 < c < 10_000 for c in counts):
        raise ValueError("FIELDS, SIZE, TYPE and COUNT, which must be of one length")
    types = [_TYPES[kind.upper(), size] for kind, size in zip(kinds, sizes, strict=True)]
    width, height = int(entries["WIDTH"][0]), int(entries.get("HEIGHT", ["1"])[0])
    points = int(entries.get("POINTS", [str(width * height)])[0])
    common.check_count(path, "points", points)
    if width < 0 or height < 0 or width * height != points:
        raise ValueError(f"WIDTH x HEIGHT = {width * height}, but POINTS {points}")
    viewpoint = tuple(float(value) for value in entries.get("VIEWPOINT", _IDENTITY))
    encoding = entries["DATA"][0].lower()
    if encoding not in _BODIES or len(viewpoint) != 7:
        raise ValueError(f"DATA {encoding} or VIEWPOINT {viewpoint}")
    return PcdHeader(
        tuple(zip(names, types, counts, strict=True)), width, height, points, viewpoint, encoding, start, extra
    )


def _row_bytes(header: PcdHeader) -> int:
    return sum(np.dtype(kind).itemsize * count for _, kind, count in header.fields)


def _binary(path: Path, header: PcdHeader, body: memoryview) -> Columns:
    needed = header.points * _row_bytes(header)
    if len(body) < needed:
        raise truncated(path, f"{len(body):,} bytes of points, {needed:,} expected")
    names = [f"{index}" for index in range(len(header.fields))]  # '_' may come twice
    row = np.dtype([(name, kind, (count,)) for name, (_, kind, count) in zip(names, header.fields, strict=True)])
    rows = np.frombuffer(body, row, header.points)
    return {field: rows[name][:, 0] for name, (field, _, _) in zip(names, header.fields, strict=True)}


def _compressed(path: Path, header: PcdHeader, body: memoryview) -> Columns:
    """One field after the other, each whole, packed with LZF."""
    needed = header.points * _row_bytes(header)
    if len(body) < 8:
        raise truncated(path, "no sizes of the compressed points")
    packed, unpacked = struct.unpack_from("<II", body)
    if len(body) < 8 + packed:
        raise truncated(path, f"{len(body) - 8:,} bytes of compressed points, {packed:,} expected")
    if unpacked != needed:
        raise malformed(path, f"it unpacks to {unpacked:,} bytes, but its header needs {needed:,}")
    plain = _unpack_lzf(path, bytes(body[8 : 8 + packed]), unpacked)
    columns, offset = {}, 0
    for name, kind, count in header.fields:
        values = np.frombuffer(plain, kind, header.points * count, offset)
        columns[name] = values.reshape(header.points, count)[:, 0]
        offset += values.nbytes
    return columns


def _unpack_lzf(path: Path, packed: bytes, size: int) -> bytes:
    """LZF: a control byte below 32 opens that many plus one plain bytes; any other a copy of earlier
    ones, its length in the upper three bits (7: plus the next byte), its distance in the rest.

    In plain Python: 0.3-0.5 s for 640 x 480 points, which are read once.
    """
    out = bytearray()
    at = 0
    try:
        while at < len(packed) and len(out) <= size:
            control = packed[at]
            at += 1
            if control < 32:
                out += packed[at : at + control + 1]
                at += control + 1
                continue
            length = control >> 5
            if length == 7:
                length += packed[at]
                at += 1
            distance = ((control & 31) << 8) + packed[at] + 1
            at += 1
            length += 2
            begin = len(out) - distance
            if begin < 0:
                raise IndexError
            source = out[begin : begin + length]
            # a copy longer than its distance repeats what it has just written
            out += source if distance >= length else (source * (length // distance + 1))[:length]
    except IndexError:
        raise malformed(path, "its compressed points are damaged") from None
    if len(out) != size:
        raise malformed(path, "its compressed points are damaged")
    return bytes(out)


def _ascii(path: Path, header: PcdHeader, body: memoryview) -> Columns:
    per_row = sum(count for _, _, count in header.fields)
    if len(body) < 2 * header.points * per_row - 1:
        raise truncated(path, f"{len(body):,} bytes of text for {header.points:,} points")
    numbers = parse_numbers(path, bytes(body))
    if len(numbers) < header.points * per_row:
        raise truncated(path, f"{len(numbers):,} numbers for {header.points:,} points of {per_row}")
    rows = numbers[: header.points * per_row].reshape(header.points, per_row)
    columns, first = {}, 0
    for name, kind, count in header.fields:
        with np.errstate(invalid="ignore", over="ignore"):
            columns[name] = rows[:, first].astype(kind)
        first += count
    return columns


def _packed_colors(columns: Columns) -> NDArray[np.uint8] | None:
    """RGB from 0xAARRGGBB in `rgb` or `rgba`, kept in a float's bits or in an integer."""
    packed = columns.get("rgb", columns.get("rgba"))
    if packed is None or packed.dtype.itemsize != 4:
        return None
    bits = np.ascontiguousarray(packed).view("<u4")
    return np.stack([bits >> 16, bits >> 8, bits], -1).astype(np.uint8)


_BODIES = {"ascii": _ascii, "binary": _binary, "binary_compressed": _compressed}

# SPDX-License-Identifier: Apache-2.0
"""PCD files of all three encodings; damage and absurd headers end in a sentence."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest

from partdistill_ros.errors import PartDistillError
from partdistill_ros.io.load import load_scan
from partdistill_ros.pointcloud.scan import Scan

ENCODINGS = ("ascii", "binary", "binary_compressed")
# padding before and between, a field of three values, color in a float's bits
ROW = np.dtype([("pad", "u1", (3,)), ("label", "<u4"), ("x", "<f4"), ("y", "<f8"), ("z", "<f4"), ("rgb", "<u4")])
HEADER = """# .PCD v0.7
VERSION 0.7
FIELDS _ label x y z {color}
SIZE 1 4 4 8 4 4
TYPE U U F F F {kind}
COUNT 3 1 1 1 1 1
WIDTH {width}
HEIGHT {height}
VIEWPOINT 0 0 0 1 0 0 0
POINTS {points}
DATA {encoding}
"""


def label_ids(scan: Scan) -> np.ndarray:
    """The ids that the file held as `label`; -1 unlabeled."""
    return np.array([*map(int, scan.parts), -1])[scan.point_labels]


def rows(count: int) -> np.ndarray:
    rng = np.random.default_rng(1)
    table = np.zeros(count, ROW)
    for axis in "xyz":
        table[axis] = rng.integers(-8, 8, count) / 4
    table["label"] = rng.choice([0, 30, 31], count)
    table["rgb"] = rng.integers(1 << 16, 1 << 24, count)  # a normal float, so that ascii can hold it too
    table["x"][2] = np.nan
    return table


def literal_lzf(content: bytes) -> bytes:
    """LZF without any copies: runs of at most 32 plain bytes."""
    runs = [content[at : at + 32] for at in range(0, len(content), 32)]
    return b"".join(bytes([len(run) - 1]) + run for run in runs)


def body(table: np.ndarray, encoding: str, color_kind: str) -> bytes:
    if encoding == "binary":
        return table.tobytes()
    if encoding == "ascii":
        colors = table["rgb"].view("<f4") if color_kind == "F" else table["rgb"]
        lines = [
            f"1 2\t3 {row['label']}  {row['x']} {row['y']} {row['z']} {color:{'.9g' if color_kind == 'F' else 'd'}}"
            for row, color in zip(table, colors, strict=True)
        ]
        return "\r\n".join(lines).encode()
    columns = b"".join(np.ascontiguousarray(table[name]).tobytes() for name in table.dtype.names or ())
    packed = literal_lzf(columns)
    return struct.pack("<II", len(packed), len(columns)) + packed


def write(
    path: Path, encoding: str, height: int = 3, width: int = 4, color: str = "rgb", kind: str = "F"
) -> np.ndarray:
    table = rows(height * width)
    header = HEADER.format(width=width, height=height, points=len(table), encoding=encoding, color=color, kind=kind)
    path.write_bytes(header.encode() + body(table, encoding, kind))
    return table


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize(("color", "kind"), [("rgb", "F"), ("rgba", "U")])
def test_every_encoding(tmp_path: Path, encoding: str, color: str, kind: str) -> None:
    table = write(tmp_path / "scan.pcd", encoding, color=color, kind=kind)
    scan = load_scan(tmp_path / "scan.pcd")
    assert scan.grid == (3, 4) and scan.viewpoint is not None and not scan.viewpoint.any()
    np.testing.assert_array_equal(scan.points, np.stack([table["x"], table["y"], table["z"]], -1).astype("f4"))
    assert scan.colors is not None
    np.testing.assert_array_equal(scan.colors.astype("u4") @ [65536, 256, 1], table["rgb"])
    assert scan.parts == ("0", "30", "31")
    np.testing.assert_array_equal(label_ids(scan), table["label"])


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_unorganized_cloud_has_no_grid_and_no_viewpoint(tmp_path: Path, encoding: str) -> None:
    write(tmp_path / "scan.pcd", encoding, height=1, width=9)
    scan = load_scan(tmp_path / "scan.pcd")
    assert scan.grid is None and scan.viewpoint is None and len(scan.points) == 9


def test_header_viewpoint_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "scan.pcd"
    write(path, "ascii", height=1, width=9)
    path.write_bytes(path.read_bytes().replace(b"VIEWPOINT 0 0 0", b"VIEWPOINT 1 2 -3"))
    viewpoint = load_scan(path).viewpoint
    assert viewpoint is not None and viewpoint.tolist() == [1, 2, -3]


def test_copies_in_compressed_points(tmp_path: Path) -> None:
    # one plain float 1.0, then a copy of the 4 bytes before over itself until 9 floats are full
    columns = struct.pack("<f", 1.0) * 9
    packed = bytes([3]) + columns[:4] + bytes([7 << 5, 32 - 9, 3])
    header = "VERSION .7\nFIELDS x y z\nSIZE 4 4 4\nTYPE F F F\nWIDTH 3\nPOINTS 3\nDATA binary_compressed\n"
    (tmp_path / "scan.pcd").write_bytes(header.encode() + struct.pack("<II", len(packed), 36) + packed)
    np.testing.assert_array_equal(load_scan(tmp_path / "scan.pcd").points, np.ones((3, 3)))


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("share", [0.0, 0.2, 0.6, 0.9])
def test_truncated(tmp_path: Path, encoding: str, share: float) -> None:
    path = tmp_path / "scan.pcd"
    write(path, encoding)
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(PartDistillError, match="scan.pcd (ends too early|cannot be read).*again"):
        load_scan(path)


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize(("width", "points"), [(10**12, 10**12), (50_000_000, 50_000_000), (-4, -4)])
def test_absurd_counts_take_no_memory(tmp_path: Path, encoding: str, width: int, points: int) -> None:
    header = HEADER.format(width=width, height=1, points=points, encoding=encoding, color="rgb", kind="F")
    (tmp_path / "scan.pcd").write_bytes(header.encode() + struct.pack("<II", 8, 2**32 - 1) + bytes(8))
    with pytest.raises(PartDistillError, match="scan.pcd"):
        load_scan(tmp_path / "scan.pcd")


@pytest.mark.parametrize("seed", range(40))
def test_damaged_compression_never_crashes(tmp_path: Path, seed: int) -> None:
    path = tmp_path / "scan.pcd"
    table = write(path, "binary_compressed", height=20, width=20)
    content = bytearray(path.read_bytes())
    rng = np.random.default_rng(seed)
    start = content.index(b"binary_compressed") + 26
    for at in rng.integers(start, len(content), 30):
        content[at] = rng.integers(256)
    path.write_bytes(content)
    try:
        assert len(load_scan(path).points) == len(table)
    except PartDistillError as error:
        assert "scan.pcd" in str(error)


REPLACED: dict[str, tuple[bytes, bytes, str]] = {
    "no x": (b" x y", b" u y", "lack x, y or z"),
    "no DATA": (b"DATA ascii", b"DATUM ascii", "no DATA line"),
    "unknown DATA": (b"DATA ascii", b"DATA zip", "DATA zip"),
    "no FIELDS": (b"FIELDS", b"FELDER", "FIELDS"),
    "short SIZE": (b"SIZE 1 ", b"SIZE ", "FIELDS, SIZE, TYPE and COUNT"),
    "odd SIZE": (b"SIZE 1", b"SIZE 5", r"\('U', 5\)"),
    "text in WIDTH": (b"WIDTH 4", b"WIDTH four", "four"),
    "no number": (b"1 2\t3", b"1 2 x", "not a number"),
    "another product": (b"HEIGHT 3", b"HEIGHT 2", "WIDTH x HEIGHT = 8, but POINTS 12"),
    "negative sides": (b"WIDTH 4\nHEIGHT 3", b"WIDTH -4\nHEIGHT -3", "WIDTH x HEIGHT"),
    "infinite origin": (b"VIEWPOINT 0 0 0", b"VIEWPOINT 0 inf 0", "'viewpoint' must be three finite numbers"),
    "deep comment": (b"# .PCD v0.7", b"# partdistill " + b"[" * 60_000, "nested too deeply"),
    "infinite viewpoint": (b"# .PCD v0.7", b'# partdistill {"viewpoint": [0, 0, 1e999]}', "1e999"),
    "huge COUNT": (b"COUNT 3", b"COUNT 99999999", "FIELDS, SIZE, TYPE and COUNT"),
    "short VIEWPOINT": (b"VIEWPOINT 0", b"VIEWPOINT", "VIEWPOINT"),
    "damaged comment": (b"# .PCD v0.7", b"# partdistill {", "comment"),
    "list comment": (b"# .PCD v0.7", b"# partdistill []", "comment"),
    "comment with grid": (b"# .PCD v0.7", b'# partdistill {"grid": [5, 5]}', "grid"),
    "comment with up": (b"# .PCD v0.7", b'# partdistill {"up": "north"}', "up"),
}


@pytest.mark.parametrize("case", REPLACED)
def test_wrong_headers_are_named(tmp_path: Path, case: str) -> None:
    old, new, message = REPLACED[case]
    path = tmp_path / "scan.pcd"
    write(path, "ascii")
    content = path.read_bytes()
    assert old in content
    path.write_bytes(content.replace(old, new, 1))
    with pytest.raises(PartDistillError, match=message) as caught:
        load_scan(path)
    assert "scan.pcd" in str(caught.value)


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_empty_and_all_nan(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "scan.pcd"
    table = rows(12)[:0]
    header = HEADER.format(width=0, height=1, points=0, encoding=encoding, color="rgb", kind="F")
    path.write_bytes(header.encode() + body(table, encoding, "F"))
    with pytest.raises(PartDistillError, match="scan.pcd holds no points"):
        load_scan(path)
    table = rows(12)
    table["z"] = np.nan
    header = HEADER.format(width=12, height=1, points=12, encoding=encoding, color="rgb", kind="F")
    path.write_bytes(header.encode() + body(table, encoding, "F"))
    with pytest.raises(PartDistillError, match="scan.pcd holds no finite point"):
        load_scan(path)


def test_random_bytes(tmp_path: Path) -> None:
    (tmp_path / "scan.pcd").write_bytes(np.random.default_rng(0).bytes(100_000))
    with pytest.raises(PartDistillError, match="no DATA line"):
        load_scan(tmp_path / "scan.pcd")


def test_real_scan_of_another_writer(data_dir: Path) -> None:
    path = data_dir / "scans" / "test64.pcd"
    if not path.is_file():
        pytest.skip(f"{path} is not there")
    scan = load_scan(path)
    ids = label_ids(scan)
    assert scan.grid == (480, 640) and scan.colors is not None
    assert [int((ids == wanted).sum()) for wanted in (30, 31)] == [5315, 636]
    assert 0.5 < scan.finite().mean() < 0.7
